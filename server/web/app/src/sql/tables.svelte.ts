// The tables that a statement can read: datasets of a project, their columns and refs, read when they are first needed.
import { all, datasetPath, get } from '../lib/api'
import type { Column, Dataset, Schema } from '../lib/types'

type Label = { version: string }
export type Refs = { head: number; versions: Label[]; savepoints: Label[]; tags: { name: string }[] }

/** The tables of rowback.*, with what is in them. */
export const history: Record<string, string> = {
  'rowback.datasets': 'datasets of the project',
  'rowback.commits': 'their commits',
  'rowback.versions': 'their versions',
  'rowback.actions': 'who did what',
}

export class Tables {
  datasets = $state.raw<Dataset[]>([])
  error = $state.raw<unknown>()
  #columns = new Map<string, Promise<Column[]>>()
  #refs = new Map<string, Promise<string[]>>()

  constructor(
    readonly project: number,
    signal: AbortSignal,
  ) {
    all<Dataset>('/api/v1/datasets', 'datasets', { project_id: project, limit: 1000 }, signal, 5000).then(
      (datasets) => (this.datasets = datasets),
      (error) => (this.error = error),
    )
  }

  /** The dataset of a name as a statement has it: regardless of case. */
  find(name: string): Dataset | undefined {
    return (
      this.datasets.find((d) => d.name === name) ??
      this.datasets.find((d) => d.name.toLowerCase() === name.toLowerCase())
    )
  }

  columns(dataset: Dataset): Promise<Column[]> {
    return once(this.#columns, dataset.id, async () => {
      const schema = await get<Schema>(datasetPath(dataset.id, 'schema'))
      return schema.columns
    })
  }

  refs(dataset: Dataset): Promise<string[]> {
    return once(this.#refs, dataset.id, async () => {
      const refs = await get<Refs>(datasetPath(dataset.id, 'refs'))
      const names = (labels: Label[]) => labels.map((l) => l.version).reverse()
      return ['head', ...names(refs.versions), ...refs.tags.map((t) => t.name), ...names(refs.savepoints)]
    })
  }
}

/** Makes a value once; a failure is not kept. */
function once<T>(made: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  let value = made.get(key)
  if (!value) {
    value = make()
    value.catch(() => made.delete(key))
    made.set(key, value)
  }
  return value
}
