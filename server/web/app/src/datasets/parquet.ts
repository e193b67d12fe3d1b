// A Parquet file's description, which is at its end in Thrift's compact protocol, made that of a file without rows.

const magic = [80, 65, 82, 49] // PAR1
const mostDescription = 64_000_000

/** Returns a file with the columns of a Parquet file and no rows, and how many rows that has; undefined: it is none. */
export async function withoutRows(file: Blob): Promise<{ file: Blob; rows: number } | undefined> {
  const end = new Uint8Array(await file.slice(-8).arrayBuffer())
  if (end.length < 8 || magic.some((byte, i) => end[4 + i] !== byte)) return undefined
  const length = new DataView(end.buffer).getUint32(0, true)
  if (length > mostDescription || length + 12 > file.size) return undefined
  const description = new Uint8Array(await file.slice(-8 - length, -8).arrayBuffer())
  const emptied = emptyOf(description)
  if (!emptied) return undefined
  const size = new Uint8Array(4)
  new DataView(size.buffer).setUint32(0, emptied.description.length, true)
  const mark = new Uint8Array(magic)
  return { file: new Blob([mark, emptied.description, size, mark]), rows: emptied.rows }
}

// Fields of FileMetaData: the number of rows, and the row groups.
const rowsField = 3
const groupsField = 4

/** Returns the description with no rows and no row groups, and the number of rows that it had. */
export function emptyOf(bytes: Uint8Array<ArrayBuffer>): { description: Uint8Array<ArrayBuffer>; rows: number } | undefined {
  const read = new Compact(bytes)
  const parts: Uint8Array<ArrayBuffer>[] = []
  let rows: number | undefined
  try {
    for (let id = 0; ; ) {
      const start = read.at
      const field = read.field(id)
      if (!field) break
      id = field.id
      const value = read.at
      if (id === rowsField) rows = Number(read.integer())
      else read.skip(field.type)
      // What a field says is kept but for these two, whose headers are: each is a difference to the field before.
      if (id === rowsField) parts.push(bytes.subarray(start, value), new Uint8Array([0]))
      else if (id === groupsField) parts.push(bytes.subarray(start, value), new Uint8Array([structs]))
      else parts.push(bytes.subarray(start, read.at))
    }
  } catch {
    return undefined // cut off, or encrypted
  }
  if (rows === undefined) return undefined
  parts.push(new Uint8Array([0]))
  const description = new Uint8Array(parts.reduce((sum, p) => sum + p.length, 0))
  let at = 0
  for (const part of parts) {
    description.set(part, at)
    at += part.length
  }
  return { description, rows }
}

const structs = 12 // a list of none of them: its size is in the upper half of the byte

// Compact reads Thrift's compact protocol.
class Compact {
  at = 0
  constructor(private bytes: Uint8Array) {}

  byte(): number {
    const byte = this.bytes[this.at++]
    if (byte === undefined) throw new RangeError('the description ends early')
    return byte
  }

  varint(): bigint {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.byte()
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return value
    }
  }

  integer(): bigint {
    const value = this.varint()
    return (value >> 1n) ^ -(value & 1n)
  }

  /** Reads the header of a field after that with an id; undefined at the end of the struct. */
  field(before: number): { id: number; type: number } | undefined {
    const header = this.byte()
    if (header === 0) return undefined
    const step = header >> 4
    return { id: step ? before + step : Number(this.integer()), type: header & 15 }
  }

  skip(type: number) {
    switch (type) {
      case 1: // true
      case 2: // false
        return
      case 3:
        this.at++
        return
      case 4:
      case 5:
      case 6:
        this.varint()
        return
      case 7:
        this.at += 8
        return
      case 8: {
        const length = Number(this.varint())
        this.at += length
        return
      }
      case 9:
      case 10:
        return this.skipList()
      case 12:
        return this.skipStruct()
      default:
        throw new RangeError(`there is no type ${type}`)
    }
  }

  private skipStruct() {
    for (let id = 0, field = this.field(id); field; field = this.field(id)) {
      id = field.id
      this.skip(field.type)
    }
  }

  private skipList() {
    const header = this.byte()
    const type = header & 15
    const size = header >> 4 === 15 ? Number(this.varint()) : header >> 4
    for (let i = 0; i < size; i++) {
      if (type <= 2) this.at++ // booleans have a byte each in lists
      else this.skip(type)
    }
  }
}
