// The list of datasets: what is asked for, and how it is searched and sorted.
import { all, get, post } from '../lib/api'
import type { Dataset } from '../lib/types'

export type Project = { id: number; name: string; description: string; datasets: number; role: string }
export type Versions = { count: number; last: string } // last: the highest version

export type Listed = { datasets: Dataset[]; projects: Project[]; isCut: boolean }

const most = 5000

// list reads the datasets, and the projects that they are in.
export async function list(deleted: boolean, signal: AbortSignal): Promise<Listed> {
  const [datasets, projects] = await Promise.all([
    all<Dataset>('/api/v1/datasets', 'datasets', { limit: 1000, deleted: deleted || undefined }, signal, most),
    all<Project>('/api/v1/projects', 'projects', { limit: 1000 }, signal),
  ])
  return { datasets, projects, isCut: datasets.length >= most }
}

type Row = { dataset_id: string; n: number; last: string }

// versionsOf counts the versions of the datasets in some projects, by dataset. That is told after the list is there:
// it takes a query for each project.
export async function versionsOf(projects: number[], signal: AbortSignal): Promise<Map<string, Versions>> {
  const sql = 'SELECT dataset_id, count(*) AS n, max_by(version, commit_id) AS last FROM rowback.versions ' +
    'WHERE is_active GROUP BY dataset_id'
  const found = new Map<string, Versions>()
  for (const project of projects.slice(0, 50)) {
    const rows = await post<Row[]>('/api/v1/query', { sql, project_id: project }, { params: { format: 'json' }, signal })
    for (const row of rows) found.set(row.dataset_id, { count: Number(row.n), last: row.last })
  }
  return found
}

type Issue = { dataset_id: string; detail: string }
type Monitor = { rapid_version_changes: Issue[]; version_gaps: Issue[] }
type Ready = { status: string; damaged_files: number }

export type Health = { notes: Map<string, string[]>; damaged: number }

// health reads what the server finds noteworthy: by dataset, and of the whole store.
export async function health(signal: AbortSignal): Promise<Health> {
  const [monitor, ready] = await Promise.all([
    get<Monitor>('/api/v1/monitor/versions', {}, signal), get<Ready>('/readyz', {}, signal),
  ])
  const notes = new Map<string, string[]>()
  for (const issue of [...monitor.version_gaps, ...monitor.rapid_version_changes]) {
    notes.set(issue.dataset_id, [...(notes.get(issue.dataset_id) ?? []), issue.detail])
  }
  return { notes, damaged: ready.damaged_files }
}

export type Sort = 'name' | 'rows' | 'changed' | 'size'
export const sorts: Sort[] = ['name', 'rows', 'changed', 'size']

// chosen returns the datasets that have a text in their name, id or description, in an order. "-" before the order's
// name turns it around.
export function chosen(datasets: Dataset[], text: string, project: number | undefined, order: string): Dataset[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  const found = datasets.filter((d) => {
    if (project !== undefined && d.project_id !== project) return false
    const said = `${d.name} ${d.description} ${d.id}`.toLowerCase()
    return words.every((w) => said.includes(w))
  })
  const turned = order.startsWith('-')
  const by = compare[(turned ? order.slice(1) : order) as Sort] ?? compare.name
  found.sort((a, b) => (turned ? by(b, a) : by(a, b)))
  return found
}

const compare: Record<Sort, (a: Dataset, b: Dataset) => number> = {
  name: (a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }),
  rows: (a, b) => a.records_total - b.records_total,
  changed: (a, b) => Date.parse(a.modified_at) - Date.parse(b.modified_at),
  size: (a, b) => (a.bytes ?? 0) - (b.bytes ?? 0),
}
