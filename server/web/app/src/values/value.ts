// Values of records in the browser, whatever format they came in.

/** A value of a record: what JSON has, 64-bit integers that JavaScript's numbers can't hold, and bytes. */
export type Value = null | boolean | number | bigint | string | Uint8Array | Value[] | { [name: string]: Value }

/** What kind a value is, for alignment and colour. */
export type Kind = 'null' | 'empty' | 'number' | 'boolean' | 'text' | 'bytes' | 'nested'

/** Returns a value's kind. */
export function kindOf(value: unknown): Kind {
  if (value === null || value === undefined) return 'null'
  switch (typeof value) {
    case 'number':
    case 'bigint':
      return 'number'
    case 'boolean':
      return 'boolean'
    case 'string':
      return value === '' ? 'empty' : 'text'
  }
  return value instanceof Uint8Array ? 'bytes' : 'nested'
}

/** Returns at most this many bytes as hexadecimal digits. */
function hex(data: Uint8Array, most: number): string {
  let out = '0x'
  for (const byte of data.subarray(0, most)) out += byte.toString(16).padStart(2, '0')
  return out
}

/**
 * Returns a value as text. A nested value is JSON, with bytes as hexadecimal digits. About limit characters are made: the
 * rest of a large value is not even built.
 */
export function textOf(value: unknown, limit = Infinity): string {
  if (value === null || value === undefined) return 'null'
  if (typeof value === 'string') return value
  if (value instanceof Uint8Array) return hex(value, limit / 2)
  if (typeof value !== 'object') return String(value)
  const out: string[] = []
  write(value, out, { left: limit })
  return out.join('')
}

function write(value: unknown, out: string[], room: { left: number }): void {
  const put = (text: string) => {
    out.push(text)
    room.left -= text.length
  }
  if (room.left <= 0) return
  if (value === null || value === undefined) return put('null')
  if (typeof value === 'string') {
    return put(JSON.stringify(value.length > room.left ? value.slice(0, room.left) : value))
  }
  if (value instanceof Uint8Array) return put(`"${hex(value, room.left / 2)}"`)
  if (typeof value !== 'object') return put(String(value))
  if (Array.isArray(value)) {
    put('[')
    for (let i = 0; i < value.length && room.left > 0; i++) {
      if (i > 0) put(', ')
      write(value[i], out, room)
    }
    return put(']')
  }
  put('{')
  let first = true
  for (const [name, one] of Object.entries(value)) {
    if (room.left <= 0) break
    if (!first) put(', ')
    first = false
    put(JSON.stringify(name) + ': ')
    write(one, out, room)
  }
  put('}')
}

/** Returns the length of a value's text: exact for text and bytes, and at least that of limit for a larger nested one. */
export function lengthOf(value: unknown, limit: number): number {
  if (typeof value === 'string') return value.length
  if (value instanceof Uint8Array) return 2 + 2 * value.length
  return textOf(value, limit + 1).length
}

/** Returns a nested value as JSON on several lines, to be read. */
export function pretty(value: unknown): string {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return textOf(value)
  const json = JSON.stringify(
    value,
    (_, one) => (typeof one === 'bigint' ? String(one) : one instanceof Uint8Array ? textOf(one) : one),
    2,
  )
  return json ?? ''
}
