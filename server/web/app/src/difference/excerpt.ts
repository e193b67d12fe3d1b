// Where two long texts differ: what both begin with is left out, so that what is shown is the change.

export type Excerpts = { before: string; after: string; isCut: boolean }

const lead = 6 // characters of what both begin with

/** Returns the parts of two texts that are shown in most characters together. */
export function excerpts(before: string, after: string, most: number): Excerpts {
  if (before.length + after.length <= most) return { before, after, isCut: false }
  let same = 0
  const shorter = Math.min(before.length, after.length)
  while (same < shorter && before.charCodeAt(same) === after.charCodeAt(same)) same++
  const start = same > lead + 2 ? boundary(before, same - lead) : 0
  const room = Math.max(6, Math.floor(most / 2) - 3)
  return { before: part(before, start, room), after: part(after, start, room), isCut: true }
}

function part(text: string, start: number, room: number): string {
  const from = Math.min(start, Math.max(0, text.length - room))
  const end = boundary(text, from + room)
  return (from > 0 ? '…' : '') + text.slice(boundary(text, from), end) + (end < text.length ? '…' : '')
}

/** Moves a position that is between the halves of a character to before it. */
function boundary(text: string, at: number): number {
  const code = text.charCodeAt(at)
  return code >= 0xdc00 && code < 0xe000 ? at - 1 : at
}
