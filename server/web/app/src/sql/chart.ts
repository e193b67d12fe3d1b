// A result as a chart: which columns, and their points.
import type { Column, Records } from '../values/arrow'
import { textOf } from '../values/value'

export type Kind = 'line' | 'points' | 'bars'
export type Choice = { x: string; y: string[]; kind: Kind }

/** The most columns that are drawn: there are so many colours. */
export const mostLines = 8

export type Line = { label: string; values: (number | null)[] }

export type Series = {
  x: number[]
  lines: Line[]
  /** Names of the places on the axis, where x is not a number or a time. */
  names: string[] | undefined
  isTime: boolean
  /** Records without a number in any line, or without a place on the axis. */
  left: number
}

const isMeasure = (column: Column) => column.kind === 'number'

/** Returns the columns that can be drawn upwards. */
export function measures(records: Records): Column[] {
  return records.columns.filter(isMeasure)
}

/** Returns the names of columns as the address has them: one as it is, several as a JSON list. */
export function namesOf(text: string | null): string[] | undefined {
  if (!text) return undefined
  if (!text.startsWith('[')) return [text]
  try {
    const names: unknown = JSON.parse(text)
    if (Array.isArray(names)) return names.map(String)
  } catch {
    // A column that is called so.
  }
  return [text]
}

/** Returns what the address has for names of columns. */
export const addressOf = (names: string[]) =>
  names.length === 1 && !names[0]!.startsWith('[') ? names[0]! : JSON.stringify(names)

/** Returns what to draw: as chosen, or what suits the columns; undefined: there is no number among them. */
export function choose(records: Records, asked: Partial<Choice>): Choice | undefined {
  const { columns } = records
  const numbers = measures(records)
  const find = (name: string | undefined) => columns.find((column) => column.name === name)
  const x =
    find(asked.x) ?? columns.find((c) => c.kind === 'time') ?? columns.find((c) => c.kind === 'text') ?? columns[0]
  const chosen = [...new Set(asked.y)].filter((name) => numbers.some((c) => c.name === name)).slice(0, mostLines)
  const usualY = numbers.findLast((c) => c !== x && !c.name.startsWith('_')) ?? numbers[0]
  if (!x || !usualY) return undefined
  const usual = x.kind === 'time' ? 'line' : x.kind === 'number' ? 'points' : 'bars'
  return { x: x.name, y: chosen.length ? chosen : [usualY.name], kind: asked.kind ?? usual }
}

/** Returns the points of a chart, from left to right. */
export function series(records: Records, { x, y }: Choice): Series {
  const across = records.columns.find((c) => c.name === x)!
  const up = y.map((name) => records.columns.find((c) => c.name === name)!)
  const isScale = across.kind === 'number' || across.kind === 'time'
  const points: { at: number; values: (number | null)[] }[] = []
  const names: string[] = []
  for (let row = 0; row < records.rows; row++) {
    const at = isScale ? across.number(row) : names.length
    const values = up.map((c) => finite(c.number(row)))
    if (finite(at) === null || values.every((v) => v === null)) continue
    if (!isScale) names.push(textOf(across.at(row), 40))
    points.push({ at: at!, values })
  }
  if (isScale) points.sort((a, b) => a.at - b.at)
  return {
    x: points.map((p) => p.at),
    lines: y.map((label, i) => ({ label, values: points.map((p) => p.values[i]!) })),
    names: isScale ? undefined : names,
    isTime: across.kind === 'time',
    left: records.rows - points.length,
  }
}

const finite = (n: number | null) => (n === null || !Number.isFinite(n) ? null : n)

/** Puts the bars of several lines beside each other: each has places of its own around that of its name. */
export function beside({ x, lines }: Series): { x: number[]; values: (number | null)[][] } {
  const n = lines.length
  const shift = (i: number) => (0.8 * (i - (n - 1) / 2)) / n
  return {
    x: x.flatMap((at) => lines.map((_, i) => at + shift(i))),
    values: lines.map((line, own) => x.flatMap((_, at) => lines.map((_, i) => (i === own ? line.values[at]! : null)))),
  }
}
