// The dataset that a page is about, shared by the page and the shell around it.
import { getContext, setContext } from 'svelte'

import type { Loaded } from './load.svelte'
import type { Dataset } from './types'

const key = Symbol('dataset')

export function provideDataset(dataset: Loaded<Dataset>) {
  setContext(key, dataset)
}

// useDataset returns the dataset of the page. The shell shows its loading and errors: within a page, data is there.
// Call reload() after a write.
export function useDataset(): Loaded<Dataset> & { data: Dataset } {
  return getContext(key)
}
