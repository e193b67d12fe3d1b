// The columns of two states beside each other, and the records of a difference as a table.
import type { Column as SchemaColumn, Schema } from '../lib/types'
import type { Column, Records } from '../values/arrow'
import { textOf, type Value } from '../values/value'

export type Change = 'added' | 'removed' | 'modified'
export const changes: Change[] = ['added', 'removed', 'modified']

/** A column of a difference, by the name that each side gives it. */
export type Pair = { name: string; from?: string; to?: string; type: string; key: boolean }

export type Cell = { change: Change; before: Value | undefined; after: Value | undefined; differs: boolean }

/** A column of the table of a difference: cell has both sides of a row. */
export type DiffColumn = Column & { cell(row: number): Cell }

/**
 * Pairs the columns of two states: those that have one id, or else one name, as where both sides of a fork added one. What
 * only the earlier state has comes last. Derived columns follow from others and are not compared.
 */
export function pair(from: Schema, to: Schema): Pair[] {
  const rest = new Set(from.columns.filter((c) => !c.derivation))
  const out: Pair[] = []
  for (const c of to.columns) {
    if (c.derivation) continue
    const other = find(rest, (o) => o.id === c.id) ?? find(rest, (o) => o.name === c.name && !hasID(to, o.id))
    if (other) rest.delete(other)
    out.push({ name: c.name, from: other?.name, to: c.name, type: c.type, key: c.key })
  }
  for (const c of rest) out.push({ name: c.name, from: c.name, type: c.type, key: c.key })
  return out
}

const hasID = (schema: Schema, id: number) => schema.columns.some((c) => c.id === id)

function find(of: Set<SchemaColumn>, is: (c: SchemaColumn) => boolean): SchemaColumn | undefined {
  for (const c of of) if (is(c)) return c
  return undefined
}

/** Orders columns for reading: the key, then those with changes, then the rest. */
export function ordered(pairs: Pair[], changed: Record<string, number>): Pair[] {
  const rank = (p: Pair) => (p.key ? 0 : changesIn(p, changed) > 0 ? 1 : 2)
  return pairs.map((p, i) => ({ p, i })).sort((a, b) => rank(a.p) - rank(b.p) || a.i - b.i).map(({ p }) => p)
}

/** Returns how many modified records differ in a column. */
export function changesIn(p: Pair, changed: Record<string, number>): number {
  return changed[p.name] ?? changed[p.from ?? ''] ?? 0
}

type Side = Record<string, Value> | null

/** Makes the columns of a table of a difference: the kind of change, and both sides of each column. */
export function table(records: Records, pairs: Pair[]): DiffColumn[] {
  const [kinds] = records.columns
  if (!kinds) return []
  const read = (i: number) =>
    Array.from({ length: records.rows }, (_, row) => records.columns.at(i)!.at(row) as Side)
  const before = read(-2)
  const after = read(-1)
  const changeOf = (row: number) => kinds.at(row) as Change
  return pairs.map((p, i) => {
    const cell = (row: number): Cell => {
      const change = changeOf(row)
      const old = p.from === undefined ? undefined : before[row]?.[p.from]
      const now = p.to === undefined ? undefined : after[row]?.[p.to]
      // A column that one side lacks is a change of the schema: it marks a record only if there is a value.
      const differs = change === 'modified' && !p.key && textOf(old) !== textOf(now)
      return { change, before: old, after: now, differs }
    }
    return {
      name: p.name, type: p.type, kind: kindOf(p.type), cell, widest: 640,
      // What the width is made for: the sign of the change before the first, and room around both sides.
      at: (row) => {
        const { before, after, change, differs } = cell(row)
        if (differs) return `${textOf(before, 60)}  →  ${textOf(after, 60)}   `
        const value = (change === 'removed' ? before : after) ?? null
        return i === 0 ? `~   ${textOf(value, 60)}` : value
      },
      number: () => null,
    }
  })
}

function kindOf(type: string): Column['kind'] {
  if (/^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DOUBLE|FLOAT|DECIMAL\(.*\))$/.test(type)) return 'number'
  return 'text'
}
