// A result as a chart: which columns, and their points.
import type { Column, Records } from '../values/arrow'
import { textOf } from '../values/value'

export type Kind = 'line' | 'points' | 'bars'
export type Choice = { x: string; y: string; kind: Kind }

export type Series = {
  x: number[]
  y: (number | null)[]
  /** Names of the places on the axis, where x is not a number or a time. */
  names: string[] | undefined
  isTime: boolean
  /** Records without a number in y, or without a place on the axis. */
  left: number
}

const isMeasure = (column: Column) => column.kind === 'number'

/** Returns the columns that can be drawn upwards. */
export function measures(records: Records): Column[] {
  return records.columns.filter(isMeasure)
}

/** Returns what to draw: as chosen, or what suits the columns; undefined: there is no number among them. */
export function choose(records: Records, asked: Partial<Choice>): Choice | undefined {
  const { columns } = records
  const numbers = measures(records)
  const find = (name: string | undefined) => columns.find((column) => column.name === name)
  const x =
    find(asked.x) ?? columns.find((c) => c.kind === 'time') ?? columns.find((c) => c.kind === 'text') ?? columns[0]
  const y =
    numbers.find((c) => c.name === asked.y) ??
    numbers.findLast((c) => c !== x && !c.name.startsWith('_')) ??
    numbers[0]
  if (!x || !y) return undefined
  const usual = x.kind === 'time' ? 'line' : x.kind === 'number' ? 'points' : 'bars'
  return { x: x.name, y: y.name, kind: asked.kind ?? usual }
}

/** Returns the points of a chart, from left to right. */
export function series(records: Records, { x, y }: Choice): Series {
  const across = records.columns.find((c) => c.name === x)!
  const up = records.columns.find((c) => c.name === y)!
  const isScale = across.kind === 'number' || across.kind === 'time'
  const points: [number, number][] = []
  const names: string[] = []
  for (let row = 0; row < records.rows; row++) {
    const place = isScale ? across.number(row) : names.length
    const value = up.number(row)
    if (place === null || value === null || !Number.isFinite(place) || !Number.isFinite(value)) continue
    if (!isScale) names.push(textOf(across.at(row), 40))
    points.push([place, value])
  }
  if (isScale) points.sort((a, b) => a[0] - b[0])
  return {
    x: points.map((p) => p[0]),
    y: points.map((p) => p[1]),
    names: isScale ? undefined : names,
    isTime: across.kind === 'time',
    left: records.rows - points.length,
  }
}
