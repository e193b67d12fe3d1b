// What is being typed in a statement, for completion. A statement that is being written rarely parses, so this looks at
// its words.
import { functions, keywords, types } from './words'

export type Context =
  | { kind: 'none' }
  /** Within an open quote: a name of a dataset or column, up to the cursor. */
  | { kind: 'quoted'; from: number; typed: string; wantsTable: boolean }
  /** Within an open quote, after @ or ..: a ref of a dataset. */
  | { kind: 'ref'; from: number; typed: string; table: string }
  /** After a point: a column of a table or alias. */
  | { kind: 'column'; from: number; typed: string; table: string }
  | { kind: 'word'; from: number; typed: string; wantsTable: boolean }

type Token = { kind: 'word' | 'quoted' | 'text' | 'comment' | 'other'; text: string; from: number; isOpen: boolean }

const token =
  /(--[^\n]*)|(\/\*[\s\S]*?(?:\*\/|$))|('(?:[^']|'')*(?:'|$))|("(?:[^"]|"")*(?:"|$))|([\p{L}_][\p{L}\p{N}_]*)|(\d[\w.]*|\s+|[^\s])/gu

/** Splits a statement into words, quoted names, texts and comments; spaces are left out. */
export function tokens(sql: string): Token[] {
  const out: Token[] = []
  for (const match of sql.matchAll(token)) {
    const text = match[0]
    if (/^\s+$/.test(text)) continue
    const kind =
      match[1] || match[2] ? 'comment' : match[3] ? 'text' : match[4] ? 'quoted' : match[5] ? 'word' : 'other'
    out.push({ kind, text, from: match.index, isOpen: isOpen(kind, text) })
  }
  return out
}

function isOpen(kind: string, text: string): boolean {
  if (kind === 'comment') return text.startsWith('--') || !text.endsWith('*/')
  if (kind !== 'text' && kind !== 'quoted') return false
  const quotes = text.split(text[0]!).length - 1
  return quotes % 2 === 1
}

/** Returns what is being typed at a place. */
export function contextAt(sql: string, at: number): Context {
  const before = tokens(sql.slice(0, at))
  const last = before.at(-1)
  if (!last) return { kind: 'word', from: at, typed: '', wantsTable: false }
  const ends = last.from + last.text.length === at
  if ((last.kind === 'text' || last.kind === 'comment') && last.isOpen && (ends || last.text.startsWith('/*'))) {
    return { kind: 'none' }
  }
  if (last.kind === 'quoted' && last.isOpen) return quotedAt(before, last)
  if (last.kind === 'word' && ends) {
    const point = before.at(-2)
    if (point?.text === '.') return columnOf(before.slice(0, -2), last.from, last.text)
    return { kind: 'word', from: last.from, typed: last.text, wantsTable: wantsTable(before.slice(0, -1)) }
  }
  if (last.text === '.' && ends) return columnOf(before.slice(0, -1), at, '')
  if (ends && (last.kind !== 'other' || /^\d/.test(last.text))) return { kind: 'none' }
  return { kind: 'word', from: at, typed: '', wantsTable: wantsTable(before) }
}

function quotedAt(before: Token[], last: Token): Context {
  const typed = last.text.slice(1)
  const sign = typed.indexOf('@')
  if (sign < 0) {
    return { kind: 'quoted', from: last.from + 1, typed, wantsTable: wantsTable(before.slice(0, -1)) }
  }
  const range = typed.lastIndexOf('..')
  const start = range > sign ? range + 2 : sign + 1
  const table = typed.slice(0, sign).replaceAll('""', '"')
  return { kind: 'ref', from: last.from + 1 + start, typed: typed.slice(start), table }
}

function columnOf(before: Token[], from: number, typed: string): Context {
  const table = before.at(-1)
  if (table?.kind !== 'word' && table?.kind !== 'quoted') return { kind: 'none' }
  return { kind: 'column', from, typed, table: nameOf(table) }
}

/** Reports whether a name of a table comes next: after FROM, JOIN and a comma in between. */
function wantsTable(before: Token[]): boolean {
  for (let i = before.length - 1; i >= 0; i--) {
    const { kind, text } = before[i]!
    const word = text.toLowerCase()
    if (kind === 'word' && (word === 'from' || word === 'join'))
      return i === before.length - 1 || before.at(-1)!.text === ','
    if (text === '(' || text === ')' || (kind === 'word' && clauses.has(word))) return false
  }
  return false
}

const clauses = new Set([
  'select',
  'where',
  'group',
  'order',
  'having',
  'limit',
  'on',
  'using',
  'qualify',
  'window',
  'set',
])

const nameOf = (t: Token) => (t.kind === 'quoted' ? t.text.replace(/^"|"$/g, '').replaceAll('""', '"') : t.text)

/** Returns the tables of a statement: the name as it is written, without its ref, by alias and by itself. */
export function tablesOf(sql: string): Map<string, string> {
  const out = new Map<string, string>()
  const all = tokens(sql).filter((t) => t.kind !== 'comment')
  for (const [i, t] of all.entries()) {
    const word = all[i - 1]?.text.toLowerCase()
    if ((t.kind !== 'word' && t.kind !== 'quoted') || (word !== 'from' && word !== 'join' && word !== ',')) continue
    const written = nameOf(t)
    const name = written.split('@')[0]!
    out.set(written, name).set(name, name)
    let next = all[i + 1]
    if (next?.text.toLowerCase() === 'as') next = all[i + 2]
    if (next && (next.kind === 'word' || next.kind === 'quoted') && !reserved.has(next.text.toLowerCase())) {
      out.set(nameOf(next), name)
    }
  }
  return out
}

const reserved = new Set(keywords.split(' '))

/** Returns a name as SQL has it: in quotes where it would be taken for something else. */
export function quote(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) && !reserved.has(name) ? name : `"${name.replaceAll('"', '""')}"`
}

/** The words that any statement may have, with what they are. */
export const words: { label: string; type: 'keyword' | 'type' | 'function' }[] = [
  ...keywords.split(' ').map((label) => ({ label: label.toUpperCase(), type: 'keyword' as const })),
  ...types.split(' ').map((label) => ({ label: label.toUpperCase(), type: 'type' as const })),
  ...functions.split(' ').map((label) => ({ label, type: 'function' as const })),
]
