// Metadata as people edit it: one JSON object. Numbers keep their digits.
import { parse, stringify } from '../undo/exact'

export type Metadata = Record<string, unknown>

export const written = (m: Metadata): string => (Object.keys(m).length ? JSON.stringify(m, bigints, 2) : '')

function bigints(_: string, value: unknown): unknown {
  const raw = JSON as typeof JSON & { rawJSON?: (text: string) => unknown }
  return typeof value === 'bigint' ? (raw.rawJSON?.(String(value)) ?? Number(value)) : value
}

// read returns the object that a text is; an error says what is wrong with it.
export function read(text: string): Metadata {
  if (!text.trim()) return {}
  const value = parse<unknown>(text)
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw new Error('It is not an object: begin with {.')
  return value as Metadata
}

// change returns what turns one object into another: what is new or different, and null for what is gone.
export function change(before: Metadata, after: Metadata): Metadata {
  const out: Metadata = {}
  for (const [name, value] of Object.entries(after)) if (stringify(before[name]) !== stringify(value)) out[name] = value
  for (const name of Object.keys(before)) if (!(name in after)) out[name] = null
  return out
}
