// The beginning of a large file, as a file of its own: the server can say from it what columns there are, so that a
// preview does not send a gigabyte. Of Parquet it is the description at the end, without records.
import type { Format } from './file'
import { withoutRows } from './parquet'

export type Beginning = {
  file: Blob
  packed: '' | 'gzip' | 'zstd'
  isWhole: boolean
  records?: number // in the whole file, where that can be known
}

/** Files up to this size are sent as they are. Of larger ones, as much is read. */
export const enough = 8_000_000

/** Returns the beginning of a file. Where it can't be cut, because of its format or packing, that is the whole file. */
export async function beginning(
  file: Blob, format: Format, packed: '' | 'gzip' | 'zstd', most = enough,
): Promise<Beginning> {
  const whole: Beginning = { file, packed, isWhole: true }
  if (file.size <= most) return whole
  if (format === 'parquet' && !packed) {
    const description = await withoutRows(file)
    return description ? { file: description.file, packed: '', isWhole: false, records: description.rows } : whole
  }
  if (packed === 'zstd') return whole // browsers can't unpack it
  const bytes = packed === 'gzip' ? await unpacked(file, most) : new Uint8Array(await file.slice(0, most).arrayBuffer())
  const end = bytes && endOf(format, bytes)
  return end === undefined ? whole : { file: new Blob(end), packed: '', isWhole: false }
}

// unpacked returns the first bytes of what a file has that was packed with gzip.
async function unpacked(file: Blob, most: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const reader = file.stream().pipeThrough(new DecompressionStream('gzip')).getReader()
  const out = new Uint8Array(most)
  let size = 0
  try {
    while (size < most) {
      const { value, done } = await reader.read()
      if (done) return undefined // it is not as large as it seemed
      out.set(value.subarray(0, most - size), size)
      size += value.length
    }
  } catch {
    return undefined // the server will say what is wrong with it
  }
  void reader.cancel()
  return out
}

/** Returns the whole records in the first bytes of a file; undefined if there is none, or they can't be told apart. */
export function endOf(format: Format, bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] | undefined {
  switch (format) {
    case 'csv': {
      const end = lastLine(bytes)
      return end > 0 ? [bytes.subarray(0, end)] : undefined
    }
    case 'ndjson': {
      const end = bytes.lastIndexOf(newline) + 1
      return end > 0 ? [bytes.subarray(0, end)] : undefined
    }
    case 'json': {
      const end = lastElement(bytes)
      return end > 0 ? [bytes.subarray(0, end), new Uint8Array([closing])] : undefined
    }
    case 'arrow':
      return arrowSchema(bytes)
  }
  return undefined
}

const newline = 10
const quote = 34
const backslash = 92
const closing = 93 // ]

// lastLine returns where the last line of a CSV ends that is not within quotes.
function lastLine(bytes: Uint8Array): number {
  let end = 0
  let isQuoted = false
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] === quote) isQuoted = !isQuoted
    else if (bytes[i] === newline && !isQuoted) end = i + 1
  }
  return end
}

// lastElement returns where the last element of a JSON array ends that is followed by another.
function lastElement(bytes: Uint8Array): number {
  let end = 0
  let depth = 0
  let isText = false
  for (let i = 0; i < bytes.length; i++) {
    const c = bytes[i]!
    if (isText) {
      if (c === backslash) i++
      else if (c === quote) isText = false
    } else if (c === quote) isText = true
    else if (c === 91 || c === 123) depth++
    else if (c === 93 || c === 125) depth--
    else if (c === 44 && depth === 1) end = i
  }
  return end
}

// arrowSchema returns a stream that has the schema of an Arrow file or stream, and no records.
function arrowSchema(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] | undefined {
  const isFile = String.fromCharCode(...bytes.subarray(0, 6)) === 'ARROW1'
  const start = isFile ? 8 : 0
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < start + 8 || view.getUint32(start, true) !== 0xffffffff) return undefined
  const end = start + 8 + view.getInt32(start + 4, true)
  if (end > bytes.length) return undefined
  return [bytes.subarray(start, end), new Uint8Array([255, 255, 255, 255, 0, 0, 0, 0])]
}
