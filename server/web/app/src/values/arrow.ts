// Records as Arrow, which keeps what JSON loses in a browser: 64-bit integers, decimals, microseconds, types, and columns
// with the same name.
import { tableFromIPC, Type } from '@uwdata/flechette'
import type { Column as ArrowColumn, DataType, Field } from '@uwdata/flechette'
import type { Value } from './value'

/** A column of a result. */
export interface Column {
  name: string
  /** The type, in the words of SQL. */
  type: string
  /** Numbers are aligned to the right, and can be drawn, as can times. */
  kind: 'number' | 'time' | 'boolean' | 'text' | 'bytes' | 'nested'
  /** How wide a table may make it, in pixels, if not as any other. */
  widest?: number
  at(row: number): Value
  /** The value as a number, times in seconds since 1970; null where there is none. */
  number(row: number): number | null
}

/** Records as columns. */
export interface Records {
  columns: Column[]
  rows: number
  /** Bytes that came after what is shown: the answer was larger than the page reads. */
  isCut: boolean
  /** Bytes that were read. */
  bytes: number
}

/**
 * Reads an Arrow stream, at most about limit bytes of it: what there is then is shown, and the rest is not waited for.
 * progress is told the bytes that have come.
 */
export async function readRecords(
  answer: Response,
  limit: number,
  progress?: (bytes: number) => void,
): Promise<Records> {
  const { data, isCut } = await readBytes(answer, limit, progress)
  const table = tableFromIPC(isCut ? wholeMessages(data) : data, {
    useBigInt: true,
    useBigIntTimestamp: true,
    useDecimalInt: true,
  })
  const columns = table.schema.fields.map((field, i) => columnOf(field, table.getChildAt(i)))
  return { columns, rows: table.numRows, isCut, bytes: data.length }
}

async function readBytes(answer: Response, limit: number, progress?: (bytes: number) => void) {
  const reader = answer.body!.getReader()
  const chunks: Uint8Array[] = []
  let total = 0
  let isCut = false
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    chunks.push(value)
    total += value.length
    progress?.(total)
    if (total > limit) {
      isCut = true
      await reader.cancel()
      break
    }
  }
  const data = new Uint8Array(total)
  let at = 0
  for (const chunk of chunks) {
    data.set(chunk, at)
    at += chunk.length
  }
  return { data, isCut }
}

/**
 * Returns the messages of a stream that are there as a whole: a marker, the length of the description, the description,
 * which says how long the body is, and the body.
 */
export function wholeMessages(data: Uint8Array): Uint8Array {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  let at = 0
  while (at + 8 <= data.length) {
    const length = view.getInt32(at + 4, true)
    if (length === 0) break
    const start = at + 8
    if (start + length > data.length) break
    const next = start + length + bodyLength(view, start)
    if (next > data.length) break
    at = next
  }
  return data.subarray(0, at)
}

/** Reads bodyLength of a Message, the fourth field of its flatbuffer. */
function bodyLength(view: DataView, start: number): number {
  const table = start + view.getUint32(start, true)
  const vtable = table - view.getInt32(table, true)
  const slot = 4 + 3 * 2
  if (view.getUint16(vtable, true) <= slot) return 0
  const offset = view.getUint16(vtable + slot, true)
  return offset === 0 ? 0 : Number(view.getBigInt64(table + offset, true))
}

function columnOf(field: Field, data: ArrowColumn<unknown>): Column {
  const type = field.type.typeId === Type.Dictionary ? field.type.dictionary : field.type
  const kind = kindOfType(type)
  return {
    name: field.name,
    type: typeName(type, field),
    kind,
    at: (row) => plain(type, data.at(row)),
    number: (row) => numberOf(type, data.at(row)),
  }
}

function kindOfType(type: DataType): Column['kind'] {
  switch (type.typeId) {
    case Type.Int:
    case Type.Float:
    case Type.Decimal:
      return 'number'
    case Type.Date:
    case Type.Timestamp:
      return 'time'
    case Type.Bool:
      return 'boolean'
    case Type.Binary:
    case Type.LargeBinary:
    case Type.FixedSizeBinary:
    case Type.BinaryView:
      return 'bytes'
    case Type.List:
    case Type.LargeList:
    case Type.FixedSizeList:
    case Type.ListView:
    case Type.LargeListView:
    case Type.Struct:
    case Type.Map:
    case Type.Union:
      return 'nested'
  }
  return 'text'
}

/** Ticks a second, by Arrow's time units: seconds, milli-, micro- and nanoseconds. */
const ticks = (unit: 0 | 1 | 2 | 3): bigint => 1000n ** BigInt(unit)

/** Returns a value as Rowback's JSON has it, but for integers and decimals, which stay exact. */
function plain(type: DataType, raw: unknown): Value {
  if (raw === null || raw === undefined) return null
  switch (type.typeId) {
    case Type.Float:
      return type.precision === 1 ? shortest(raw as number) : (raw as number)
    case Type.Int:
    case Type.Bool:
    case Type.Utf8:
    case Type.LargeUtf8:
    case Type.Utf8View:
      return raw as Value
    case Type.Decimal:
      return decimal(BigInt(raw as bigint), type.scale)
    case Type.Date:
      return dateOf(raw as number)
    case Type.Timestamp:
      return timestamp(raw as bigint, ticks(type.unit), type.timezone !== null && type.timezone !== '')
    case Type.Time:
      return clock(BigInt(raw as bigint), ticks(type.unit))
    case Type.Interval:
    case Type.Duration:
      return interval(type, raw)
    case Type.Dictionary:
      return plain(type.dictionary, raw)
    case Type.Struct:
      return Object.fromEntries(
        type.children.map((f) => [f.name, plain(f.type, (raw as Record<string, unknown>)[f.name])]),
      )
    case Type.Map:
      return mapOf(type.children[0].type, raw as [unknown, unknown][])
    case Type.List:
    case Type.LargeList:
    case Type.FixedSizeList:
    case Type.ListView:
    case Type.LargeListView:
      return Array.from(raw as Iterable<unknown>, (one) => plain(type.children[0].type, one))
  }
  return raw as Value
}

function mapOf(entry: DataType, pairs: [unknown, unknown][]): Value {
  if (entry.typeId !== Type.Struct) return null
  const [key, value] = entry.children as [Field, Field]
  return Object.fromEntries(Array.from(pairs, ([k, v]) => [String(plain(key.type, k)), plain(value.type, v)]))
}

/** Returns a whole number with its point scale digits from the right. */
export function decimal(scaled: bigint, scale: number): string {
  const digits = (scaled < 0n ? -scaled : scaled).toString().padStart(scale + 1, '0')
  const whole = digits.slice(0, digits.length - scale)
  const sign = scaled < 0n ? '-' : ''
  return scale > 0 ? `${sign}${whole}.${digits.slice(-scale)}` : sign + whole
}

function dateOf(milliseconds: number): string {
  const date = new Date(milliseconds)
  if (Number.isNaN(date.getTime())) return `day ${Math.round(milliseconds / 864e5)}`
  return date.toISOString().replace(/T.*/, '')
}

function timestamp(at: bigint, perSecond: bigint, isUTC: boolean): string {
  let seconds = at / perSecond
  let rest = at % perSecond
  if (rest < 0n) {
    seconds -= 1n
    rest += perSecond
  }
  const date = new Date(Number(seconds) * 1000)
  if (Number.isNaN(date.getTime())) return `${at} since 1970` // such as infinity
  return date.toISOString().replace('.000Z', '').replace('T', ' ') + fraction(rest, perSecond) + (isUTC ? 'Z' : '')
}

function clock(at: bigint, perSecond: bigint): string {
  const two = (n: bigint) => n.toString().padStart(2, '0')
  const seconds = at / perSecond
  return `${two(seconds / 3600n)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}${fraction(at % perSecond, perSecond)}`
}

function fraction(rest: bigint, perSecond: bigint): string {
  if (rest === 0n) return ''
  return (
    '.' +
    rest
      .toString()
      .padStart(perSecond.toString().length - 1, '0')
      .replace(/0+$/, '')
  )
}

function interval(type: DataType, raw: unknown): string {
  if (type.typeId === Type.Duration) return `${decimal(BigInt(raw as bigint), 3 * type.unit)} s`
  if (typeof raw === 'number') return `${raw} months`
  const [months, days, nanoseconds] = Array.from(raw as Iterable<number | bigint>, Number)
  const said = [
    months ? `${months} months` : '',
    days ? `${days} days` : '',
    nanoseconds ? `${nanoseconds / 1e9} s` : '',
  ].filter(Boolean)
  return said.join(' ') || '0 s'
}

/** Returns the shortest number that a FLOAT stands for: 0.1, and not what is nearest to it as a DOUBLE. */
function shortest(single: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const n = Number(single.toPrecision(digits))
    if (Math.fround(n) === single) return n
  }
  return single
}

function numberOf(type: DataType, raw: unknown): number | null {
  if (raw === null || raw === undefined) return null
  switch (type.typeId) {
    case Type.Int:
    case Type.Float:
      return Number(raw)
    case Type.Decimal:
      return Number(decimal(BigInt(raw as bigint), type.scale))
    case Type.Bool:
      return raw ? 1 : 0
    case Type.Date:
      return Number(raw) / 1000
    case Type.Timestamp:
      return Number(raw) / Number(ticks(type.unit))
  }
  return null
}

/** Returns a type's name in SQL. */
function typeName(type: DataType, field?: Field): string {
  const extension = field?.metadata?.get('ARROW:extension:name')
  if (extension === 'arrow.uuid') return 'UUID'
  if (extension === 'arrow.json') return 'JSON'
  switch (type.typeId) {
    case Type.Int: {
      const name = { 8: 'TINYINT', 16: 'SMALLINT', 32: 'INTEGER', 64: 'BIGINT' }[type.bitWidth]
      return type.signed ? name : 'U' + name
    }
    case Type.Float:
      return type.precision === 2 ? 'DOUBLE' : 'FLOAT'
    case Type.Decimal:
      return `DECIMAL(${type.precision},${type.scale})`
    case Type.Date:
      return 'DATE'
    case Type.Timestamp:
      return type.timezone ? 'TIMESTAMPTZ' : 'TIMESTAMP'
    case Type.Time:
      return 'TIME'
    case Type.Interval:
    case Type.Duration:
      return 'INTERVAL'
    case Type.Bool:
      return 'BOOLEAN'
    case Type.Null:
      return 'NULL'
    case Type.Struct:
      return `STRUCT(${type.children.map((f) => `${f.name} ${typeName(f.type, f)}`).join(', ')})`
    case Type.Map:
      return 'MAP'
    case Type.List:
    case Type.LargeList:
    case Type.FixedSizeList:
    case Type.ListView:
    case Type.LargeListView:
      return typeName(type.children[0].type, type.children[0]) + '[]'
  }
  switch (kindOfType(type)) {
    case 'bytes':
      return 'BLOB'
    case 'nested':
      return 'UNION'
  }
  return 'VARCHAR'
}
