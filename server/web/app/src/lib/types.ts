// Answers of the API that several pages read. A page's own are declared where it reads them.

export type Dataset = {
  id: string
  name: string
  project_id: number
  key: string[] // empty: the server assigns _id
  description: string
  metadata: Record<string, unknown>
  quality_column: string | null
  category_column: string | null
  required: string[]
  archived: boolean
  warnings: string[]
  merge_granularity: 'row' | 'column'
  retention: unknown
  exclusion?: string
  head: number
  records_total: number
  bytes: number // of the files that it wrote, those of past states included
  created_at: string
  modified_at: string
  deleted_at: string | null
  upstream_id: string | null
  fork_commit: number | null
}

export type Column = {
  name: string
  type: string // in DuckDB's notation
  key: boolean
  id: number
  title?: string
  description?: string
  derivation?: string
  categories?: { id: number; name: string }[]
}

export type Schema = { ref: string; commit: number; key: string[]; columns: Column[] }
