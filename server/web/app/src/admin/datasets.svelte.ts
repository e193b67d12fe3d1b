// Datasets with something that is asked for each of them, a page at a time.
import { get } from '../lib/api'
import type { Problem } from '../lib/problem'
import { asProblem } from '../lib/load.svelte'
import type { Dataset } from '../lib/types'

export type Row<T> = { dataset: Dataset; more: T | undefined; error: Problem | undefined }

export class DatasetRows<T> {
  rows = $state.raw<Row<T>[]>([])
  error = $state.raw<Problem>()
  loading = $state(true)
  #cursor: string | null = null
  #read: (dataset: Dataset) => Promise<T>

  constructor(read: (dataset: Dataset) => Promise<T>) {
    this.#read = read
    void this.next()
  }

  get hasNext() {
    return this.#cursor !== null && !this.loading
  }

  /** Reads the next page. */
  async next() {
    this.loading = true
    this.error = undefined
    try {
      const params = { limit: 25, cursor: this.#cursor }
      const page = await get<{ datasets: Dataset[]; next_cursor: string | null }>('/api/v1/datasets', params)
      const rows = await Promise.all(page.datasets.map((dataset) => this.#row(dataset)))
      this.rows = [...this.rows, ...rows]
      this.#cursor = page.next_cursor
    } catch (cause) {
      this.error = asProblem(cause)
    }
    this.loading = false
  }

  /** Reads one dataset's row anew. */
  async again(dataset: Dataset) {
    const row = await this.#row(dataset)
    this.rows = this.rows.map((r) => (r.dataset.id === dataset.id ? row : r))
  }

  async #row(dataset: Dataset): Promise<Row<T>> {
    try {
      return { dataset, more: await this.#read(dataset), error: undefined }
    } catch (cause) {
      return { dataset, more: undefined, error: asProblem(cause) } // such as one that was deleted meanwhile
    }
  }
}
