// Gates as the API has them, and which fields each kind takes.
export type Gate = {
  name: string
  kind: string
  when?: string[]
  action?: 'refuse' | 'warn'
  columns?: string[]
  values?: unknown[]
  minimum?: unknown
  maximum?: unknown
  of?: 'mean' | 'record'
  condition?: string
  query?: string
}

type Part = 'columns' | 'values' | 'minimum' | 'maximum' | 'of' | 'condition' | 'query'

export const kinds: Record<string, { label: string; parts: Part[] }> = {
  not_null: { label: 'Columns have a value', parts: ['columns'] },
  unique: { label: 'No two records share values', parts: ['columns'] },
  accepted_values: { label: 'Values are of a list', parts: ['columns', 'values'] },
  range: { label: 'Values are within limits', parts: ['columns', 'minimum', 'maximum'] },
  minimum_quality: { label: 'Quality is high enough', parts: ['minimum', 'of'] },
  no_category_lost: { label: 'No category is lost', parts: [] },
  row_count: { label: 'The number of records is within limits', parts: ['minimum', 'maximum'] },
  condition: { label: 'A condition in SQL holds', parts: ['condition'] },
  query: { label: 'A query returns no row', parts: ['query'] },
}

// said returns what a gate checks, on one line.
export function said(g: Gate): string {
  const out: string[] = []
  if (g.columns?.length) out.push(g.columns.join(', '))
  if (g.values) out.push('in ' + JSON.stringify(g.values))
  if (g.minimum !== undefined) out.push(`≥ ${g.minimum}`)
  if (g.maximum !== undefined) out.push(`≤ ${g.maximum}`)
  if (g.of) out.push(g.of === 'mean' ? 'on average' : 'of each record')
  if (g.condition) out.push(g.condition)
  if (g.query) out.push(g.query)
  return out.join(' ')
}

// valueOf reads a value that was typed: a number, true, false or a JSON string as such, anything else as text.
export function valueOf(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(text.trim())) return text.trim()
    if (value === null || typeof value !== 'object') return value
  } catch {
    // not JSON
  }
  return text
}
