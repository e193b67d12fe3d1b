// What the data page asks for: a page of records, statistics of a column, the history of a record.
import { datasetPath, post, send } from '../lib/api'
import type { Dataset, Schema } from '../lib/types'
import { readRecords, type Records } from '../values/arrow'

export type View = {
  dataset: string
  ref: string
  where: string // a SQL condition
  sort: string // a column's name; "-" before it: the greatest first
  columns: string[] // none: all
  page: number // from 0
}

// pageRows is how many records a page has: fewer, where they have thousands of columns.
export function pageRows(columns: number): number {
  return columns > 400 ? 200 : 1000
}

// Beyond this many bytes, a page shows what has come: records may have values of a megabyte.
const mostBytes = 48_000_000
const orderedUpTo = 1_000_000 // as the server does: more records come as they are stored

// readPage reads a page of records, in the order of the key unless there is another.
export async function readPage(
  view: View, dataset: Dataset, schema: Schema, signal: AbortSignal,
): Promise<Records> {
  const rows = pageRows(view.columns.length || schema.columns.length)
  const key = dataset.records_total <= orderedUpTo ? schema.columns.filter((c) => c.key).map((c) => listed(c.name)) : []
  const answer = await send('GET', datasetPath(view.dataset, 'data'), undefined, {
    params: {
      format: 'arrow', ref: view.ref, where: view.where, limit: rows, offset: view.page * rows || undefined,
      order_by: orderBy(view.sort) || key.join(','),
      columns: view.columns.length ? [...view.columns, '_commit'].map(listed).join(',') : '',
    },
    signal,
  })
  return readRecords(answer, mostBytes)
}

// orderBy returns a column as order_by takes it.
function orderBy(sort: string): string {
  if (!sort) return ''
  return sort.startsWith('-') ? `${listed(sort.slice(1))} desc` : `${listed(sort)} asc`
}

// listed returns a name as lists of names have it.
export function listed(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

// ident and literal return a name and a text as SQL has them.
export const ident = listed
export const literal = (text: string) => `'${text.replaceAll("'", "''")}'`

// countRows returns how many records a condition selects.
export async function countRows(view: View, project: number, signal: AbortSignal): Promise<number> {
  const rows = await ask<{ n: number }>(`SELECT count(*) AS n FROM ${from(view)}`, project, signal)
  return Number(rows[0]!.n)
}

function from(view: View): string {
  return ident(`${view.dataset}@${view.ref}`) + (view.where ? ` WHERE (${view.where}\n)` : '')
}

async function ask<T>(sql: string, project: number, signal: AbortSignal): Promise<T[]> {
  const options = { params: { format: 'json' }, signal }
  return post<T[]>('/api/v1/query', { sql, project_id: project, timeout_ms: 20_000 }, options)
}

export type Statistics = {
  records: number
  present: number // with a value
  distinct: number // about
  least: string | null
  greatest: string | null
  mean: number | null
  middle: number | null // the median, about
  top: { value: string | null; n: number }[] // the most frequent values
  bins: { from: number; to: number; n: number }[] // of numbers
}

export const isNumeric = (type: string) => /INT|DOUBLE|FLOAT|REAL|DECIMAL/.test(type) && !/[[(]\]|MAP|STRUCT/.test(type)
const isPlain = (type: string) => !/\[\]|\[\d+\]|MAP|STRUCT|UNION|BLOB|JSON|GEOMETRY/.test(type)

// statistics reads what a column has, over the records that a view selects. Each is one bounded query.
export async function statistics(
  view: View, column: { name: string; type: string }, project: number, signal: AbortSignal,
): Promise<Statistics> {
  const c = ident(column.name)
  const numeric = isNumeric(column.type)
  const plain = isPlain(column.type)
  const least = (f: string) => (plain ? `left(CAST(${f}(${c}) AS VARCHAR), 200)` : 'NULL')
  const overview = ask<Omit<Statistics, 'top' | 'bins'>>(
    `SELECT count(*) AS records, count(${c}) AS present, approx_count_distinct(${c}) AS "distinct", ` +
      `${least('min')} AS least, ${least('max')} AS greatest, ` +
      (numeric ? `avg(${c}) AS mean, approx_quantile(CAST(${c} AS DOUBLE), 0.5) AS middle` : 'NULL AS mean, NULL AS middle') +
      ` FROM ${from(view)}`, project, signal,
  )
  const top = ask<Statistics['top'][number]>(
    `SELECT left(CAST(${c} AS VARCHAR), 200) AS value, count(*) AS n FROM ${from(view)} ` +
      'GROUP BY 1 ORDER BY n DESC, value LIMIT 10', project, signal,
  )
  const [overviews, tops, bins] = await Promise.all([overview, top, numeric ? histogram(view, c, project, signal) : []])
  const o = overviews[0]!
  return {
    ...o, records: Number(o.records), present: Number(o.present), distinct: Math.min(Number(o.distinct), Number(o.present)),
    top: tops.map((t) => ({ value: t.value, n: Number(t.n) })), bins,
  }
}

const binCount = 24

async function histogram(view: View, c: string, project: number, signal: AbortSignal): Promise<Statistics['bins']> {
  const rows = await ask<{ lo: number; hi: number; bin: number; n: number }>(
    `WITH v AS (SELECT CAST(${c} AS DOUBLE) AS x FROM ${from(view)}), f AS (SELECT x FROM v WHERE isfinite(x)), ` +
      'b AS (SELECT min(x) AS lo, max(x) AS hi FROM f) ' +
      `SELECT lo, hi, CASE WHEN hi = lo THEN 0 ELSE least(${binCount - 1}, CAST(floor((x - lo) / (hi - lo) * ${binCount}) ` +
      'AS INTEGER)) END AS bin, count(*) AS n FROM f, b GROUP BY ALL ORDER BY bin', project, signal,
  )
  if (rows.length === 0) return []
  const { lo, hi } = rows[0]!
  if (lo === hi) return [{ from: lo, to: hi, n: Number(rows[0]!.n) }]
  const width = (hi - lo) / binCount
  const bins = Array.from({ length: binCount }, (_, i) => ({ from: lo + i * width, to: lo + (i + 1) * width, n: 0 }))
  for (const row of rows) bins[Number(row.bin)]!.n = Number(row.n)
  return bins
}

export type Operator = '=' | '<>' | '<' | '>' | 'contains' | 'null' | 'not null'

// condition returns the SQL of a condition on a column.
export function condition(column: { name: string; type: string }, operator: Operator, value: string): string {
  const c = ident(column.name)
  switch (operator) {
    case 'null':
      return `${c} IS NULL`
    case 'not null':
      return `${c} IS NOT NULL`
    case 'contains':
      return `contains(lower(CAST(${c} AS VARCHAR)), ${literal(value.toLowerCase())})`
  }
  const isNumber = isNumeric(column.type) && /^-?\d+(\.\d+)?$/.test(value.trim())
  return `${c} ${operator} ${isNumber ? value.trim() : literal(value)}`
}

// keyText returns the key of a record as the API takes it: the value, or a JSON object of a key of several columns.
export function keyText(key: { name: string; value: unknown }[]): string {
  const plain = (value: unknown) => (typeof value === 'string' ? value : String(value))
  if (key.length === 1) return plain(key[0]!.value)
  // By hand, since integers may be larger than JSON.stringify can write.
  const one = (value: unknown) =>
    typeof value === 'bigint' || typeof value === 'number' || typeof value === 'boolean' ? String(value)
      : JSON.stringify(value)
  return '{' + key.map((k) => `${JSON.stringify(k.name)}:${one(k.value)}`).join(',') + '}'
}
