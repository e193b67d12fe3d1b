// What the API says of two states, and what is asked for beside it.
import type { SchemaChange } from '../history/commit'

export type Sides<T> = { from: T; to: T }

export type Summary = {
  entries_added: number
  entries_removed: number
  entries_modified: number
  total_entries_v1: number
  total_entries_v2: number
  quality_score_change: number | null
  categories_added: string[]
  categories_removed: string[]
  metadata_changes: Record<string, 'added' | 'removed' | 'updated' | 'improved'>
  metadata: Record<string, Sides<unknown>> // of what has changed; null where a side has none
  quality: Sides<number | null>
  categories: Record<string, Sides<number>>
  category_quality: Record<string, Sides<number | null>>
  columns: Record<string, number>
  schema_changes: SchemaChange[]
}

/** The two states of a comparison, as the API's parameters. */
export type Between = { from: string; to: string; to_dataset?: string }

/** How often the values of each interval occur on both sides; null where a side has none. */
export type Distribution = { low: number; high: number; from: number[]; to: number[] }

export type Bin = { side: 'from' | 'to'; bin: number; n: number; low: number; high: number }

export const bins = 40

const quoted = (name: string) => '"' + name.replaceAll('"', '""') + '"'

/** Returns the SQL of the distribution of a column at two states. Dataset ids are names of tables. */
export function distributionSQL(from: Place, to: Place): string {
  const side = (p: Place) =>
    `SELECT CAST(${quoted(p.column)} AS DOUBLE) AS x FROM ${quoted(`${p.dataset}@${p.ref}`)} ` +
    `WHERE ${quoted(p.column)} IS NOT NULL`
  const counted = (name: string) =>
    `SELECT '${name}' AS side, CASE WHEN high > low THEN least(${bins - 1}, CAST(floor((x - low) / (high - low) * ${bins}) ` +
    `AS INTEGER)) ELSE 0 END AS bin, count(*) AS n, low, high FROM a_${name}, bounds GROUP BY ALL`
  return (
    `WITH a_from AS (SELECT x FROM (${side(from)}) WHERE isfinite(x)), ` +
    `a_to AS (SELECT x FROM (${side(to)}) WHERE isfinite(x)), ` +
    'bounds AS (SELECT min(x) AS low, max(x) AS high FROM (SELECT x FROM a_from UNION ALL SELECT x FROM a_to)) ' +
    `${counted('from')} UNION ALL ${counted('to')}`
  )
}

export type Place = { dataset: string; ref: string; column: string }

/** Makes a distribution of the rows that the SQL returns. */
export function distribution(rows: Bin[]): Distribution | null {
  const first = rows[0]
  if (!first) return null
  const out: Distribution = {
    low: first.low, high: first.high, from: new Array<number>(bins).fill(0), to: new Array<number>(bins).fill(0),
  }
  for (const r of rows) out[r.side][r.bin] = r.n
  return out
}
