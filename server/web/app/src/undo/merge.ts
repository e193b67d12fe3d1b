// What a person decides about the conflicts of a merge.
import type { Action } from '../history/commit'
import { stringify } from './exact'

export type Take = 'ours' | 'theirs'
export type Cell = { column: string; base: unknown; ours: unknown; theirs: unknown }
export type Fields = Record<string, unknown>
export type RecordConflict = { key: Fields; cells: Cell[]; before: Fields | null; after: Fields | null; now: Fields | null }
export type Conflict = { action: Action; detail: string; variable: string | null; count: number; records: RecordConflict[] }

export type Resolution = { key?: Fields; hash: string; take: Take }

/** The decisions, by what they are about: an action, or a record in it. */
export type Decisions = Record<string, Take>

export const ofAction = (c: Conflict) => c.action.hash
export const ofRecord = (c: Conflict, r: RecordConflict) => `${c.action.hash} ${stringify(r.key)}`

/** Returns the decisions as the API takes them: those of records come first, as the first that applies counts. */
export function resolutions(conflicts: Conflict[], decided: Decisions): Resolution[] {
  const records: Resolution[] = []
  const actions: Resolution[] = []
  for (const c of conflicts) {
    for (const r of c.records) {
      const take = decided[ofRecord(c, r)]
      if (take) records.push({ key: r.key, hash: c.action.hash, take })
    }
    const take = decided[ofAction(c)]
    if (take) actions.push({ hash: c.action.hash, take })
  }
  return [...records, ...actions]
}

/** Adds conflicts that were not known: a decision may bring up those of later actions. */
export function joined(known: Conflict[], found: Conflict[]): Conflict[] {
  const have = new Set(known.map(ofAction))
  const more = found.filter((c) => !have.has(ofAction(c)))
  return more.length ? [...known, ...more] : known
}

/** What both sides made of a record, where a conflict has no cells: a record that one side removed. */
export function cellsOf(r: RecordConflict): Cell[] {
  if (r.cells?.length && r.now && r.after) return r.cells
  return [{ column: '', base: r.before, ours: r.now, theirs: r.after }]
}
