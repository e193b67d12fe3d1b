// The states that a trend is drawn of, and what is drawn of each.

export type Point = {
  ref: string // as the API takes it
  label: string // what people see: a version, or a commit's number
  at: Date
  total: number // records
  note: string // what was said of it
  hasRecords?: boolean // of a commit: it wrote or removed some
}

export type Measure = { quality: number | null; categories: Record<string, number> }
export type Series = { label: string; values: (number | null)[] }

type Version = {
  version: string; commit_id: number; total_entries: number; description: string; created_at: string; is_active: boolean
  vacuumed_at?: string
}
type Commit = {
  records_added: number; records_removed: number; records_modified: number
  id: number; records_total: number; message: string; created_at: string; mode: string; vacuumed_at?: string
}

// ofVersions returns the states that active versions name, in the order of their numbers. Those that vacuum removed are
// left out: they can't be read.
export function ofVersions(list: Version[]): Point[] {
  return list
    .filter((v) => v.is_active && !v.vacuumed_at)
    .map((v) => ({
      ref: String(v.commit_id), label: v.version, at: new Date(v.created_at), total: v.total_entries, note: v.description,
    }))
}

// ofCommits returns the states after commits, the oldest first, of a list that begins with the newest.
export function ofCommits(list: Commit[]): Point[] {
  return list
    .filter((c) => !c.vacuumed_at)
    .map((c) => ({
      ref: String(c.id), label: String(c.id), at: new Date(c.created_at), total: c.records_total,
      note: c.message || c.mode, hasRecords: c.records_added + c.records_removed + c.records_modified > 0,
    }))
    .reverse()
}

// sample returns up to most points, evenly spread, with the first and the last.
export function sample<T>(list: T[], most: number): T[] {
  if (list.length <= most) return list
  return Array.from({ length: most }, (_, i) => list[Math.round((i * (list.length - 1)) / (most - 1))]!)
}

// ofCategories returns a series for each of the largest categories at the last state that was measured, and one for all
// others together. A state that was not measured has no value.
export function ofCategories(measures: (Measure | undefined)[], most: number): Series[] {
  const largest = new Map<string, number>()
  for (const m of measures) {
    for (const [name, n] of Object.entries(m?.categories ?? {})) largest.set(name, Math.max(largest.get(name) ?? 0, n))
  }
  const names = [...largest].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([name]) => name)
  const shown = names.length > most ? names.slice(0, most - 1) : names
  const series = shown.map((label) => ({ label, values: measures.map((m) => (m ? (m.categories[label] ?? 0) : null)) }))
  const rest = names.slice(shown.length)
  if (rest.length) {
    series.push({
      label: `${rest.length} others`,
      values: measures.map((m) => (m ? rest.reduce((sum, name) => sum + (m.categories[name] ?? 0), 0) : null)),
    })
  }
  return series
}

// stacked returns each series on top of those before it.
export function stacked(list: Series[]): Series[] {
  const below: number[] = []
  return list.map(({ label, values }) => ({
    label, values: values.map((v, i) => (v === null ? null : (below[i] = (below[i] ?? 0) + v))),
  }))
}

// inTurn runs a task for each item, a few at a time, until one fails or the signal says to stop.
export async function inTurn<T>(items: T[], width: number, signal: AbortSignal, task: (item: T, i: number) => Promise<void>) {
  let next = 0
  const one = async () => {
    while (next < items.length && !signal.aborted) {
      const i = next++
      try {
        await task(items[i]!, i)
      } catch (error) {
        next = items.length // the others would fail too
        throw error
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, one))
}
