// The list of datasets, searched and sorted by the server: a page at a time, however many there are.
import { all, get } from '../lib/api'
import type { Dataset } from '../lib/types'

export type Project = { id: number; name: string; description: string; datasets: number; role: string }

export type Listed = Dataset & { versions: number; latest_version: string | null }
export type Page = { datasets: Listed[]; next_cursor: string | null; total: number }

export const sorts = ['name', 'records', 'bytes', 'changed'] as const
export type Sort = (typeof sorts)[number]

export type Wanted = { text: string; project: number | undefined; sort: string; deleted: boolean }

export const pageRows = 100

// orderOf returns the order that an address asks for; by name, where it asks for one that there is not.
export function orderOf(asked: string | null): string {
  return asked && sorts.includes(asked.replace(/^-/, '') as Sort) ? asked : 'name'
}

export function page(wanted: Wanted, cursor: string | null, signal?: AbortSignal): Promise<Page> {
  return get<Page>('/api/v1/datasets', {
    text: wanted.text.trim(), project_id: wanted.project, sort: wanted.sort, deleted: wanted.deleted || undefined,
    limit: pageRows, cursor,
  }, signal)
}

export function projects(signal: AbortSignal): Promise<Project[]> {
  return all<Project>('/api/v1/projects', 'projects', { limit: 1000 }, signal)
}

type Issue = { dataset_id: string; detail: string }
type Monitor = { rapid_version_changes: Issue[]; version_gaps: Issue[] }

// notesOn reads what the server finds noteworthy about some datasets.
export async function notesOn(datasets: Dataset[], signal?: AbortSignal): Promise<Map<string, string[]>> {
  const notes = new Map<string, string[]>()
  if (datasets.length === 0) return notes
  const monitor = await get<Monitor>(
    '/api/v1/monitor/versions', { dataset_id: datasets.map((d) => d.id).join(',') }, signal,
  )
  for (const issue of [...monitor.version_gaps, ...monitor.rapid_version_changes]) {
    notes.set(issue.dataset_id, [...(notes.get(issue.dataset_id) ?? []), issue.detail])
  }
  return notes
}

// damaged returns how many stored files are damaged.
export async function damaged(signal: AbortSignal): Promise<number> {
  return (await get<{ damaged_files: number }>('/readyz', {}, signal)).damaged_files
}
