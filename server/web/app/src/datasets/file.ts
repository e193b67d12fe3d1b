// What a file is, by its name and its beginning, before the server has seen it.

export type Format = 'csv' | 'parquet' | 'arrow' | 'ndjson' | 'json' | 'xlsx'

const endings: Record<string, Format> = {
  csv: 'csv', tsv: 'csv', tab: 'csv', txt: 'csv', parquet: 'parquet', pq: 'parquet', arrow: 'arrow', arrows: 'arrow',
  feather: 'arrow', ipc: 'arrow', ndjson: 'ndjson', jsonl: 'ndjson', json: 'json', geojson: 'json', xlsx: 'xlsx',
  xlsm: 'xlsx',
}

export type Named = { format: Format | undefined; packed: '' | 'gzip' | 'zstd'; name: string }

// named returns what a file's name says: its format, how it is compressed, and a name for a dataset.
export function named(file: string): Named {
  let name = file
  let packed: Named['packed'] = ''
  const outer = /\.(gz|zst)$/i.exec(name)
  if (outer) {
    packed = outer[1]!.toLowerCase() === 'gz' ? 'gzip' : 'zstd'
    name = name.slice(0, outer.index)
  }
  const inner = /\.([a-z0-9]+)$/i.exec(name)
  const format = inner ? endings[inner[1]!.toLowerCase()] : undefined
  if (format) name = name.slice(0, inner!.index)
  return { format, packed, name: name.slice(0, 255) }
}

export type Sample = { values: Map<string, string[]> } // the first values of each column

// sample reads the first values of a text format. What it can't read is up to the server to judge: then it is empty.
export function sample(format: Format, text: string, isWhole: boolean, most = 3): Sample {
  const values = new Map<string, string[]>()
  const add = (name: string, value: unknown) => {
    const list = values.get(name) ?? []
    if (!values.has(name)) values.set(name, list)
    if (list.length < most && value !== null && value !== undefined && value !== '') {
      list.push(typeof value === 'string' ? value : JSON.stringify(value))
    }
  }
  try {
    if (format === 'csv') {
      const rows = csvRows(text, isWhole)
      for (const row of rows.slice(1)) rows[0]!.forEach((name, i) => add(name, row[i]))
    } else if (format === 'ndjson') {
      const lines = text.split('\n')
      if (!isWhole) lines.pop()
      for (const line of lines.slice(0, 50)) {
        if (line.trim()) for (const [name, value] of Object.entries(JSON.parse(line))) add(name, value)
      }
    } else if (format === 'json' && isWhole) {
      for (const record of (JSON.parse(text) as object[]).slice(0, 50)) {
        for (const [name, value] of Object.entries(record)) add(name, value)
      }
    }
  } catch {
    // not as its name says
  }
  return { values }
}

// csvRows returns the first rows of a CSV; a row that may be cut off is left out.
export function csvRows(text: string, isWhole: boolean, most = 50): string[][] {
  text = text.replace(/^\ufeff/, '')
  const delimiter = delimiterOf(text)
  const rows: string[][] = []
  let row: string[] = []
  let field = ''
  let quoted = false
  for (let i = 0; i < text.length && rows.length < most; i++) {
    const c = text[i]!
    if (quoted) {
      if (c !== '"') field += c
      else if (text[i + 1] === '"') field += text[i++]
      else quoted = false
    } else if (c === '"' && field === '') quoted = true
    else if (c === delimiter) {
      row.push(field)
      field = ''
    } else if (c === '\n') {
      row.push(field.replace(/\r$/, ''))
      rows.push(row)
      row = []
      field = ''
    } else field += c
  }
  if (isWhole && rows.length < most && (field !== '' || row.length > 0)) rows.push([...row, field])
  return rows
}

// delimiterOf returns the delimiter that the header has most often.
function delimiterOf(text: string): string {
  const header = text.slice(0, text.search(/\n|$/))
  const times = (d: string) => header.split(d).length
  return [',', ';', '\t', '|'].reduce((best, d) => (times(d) > times(best) ? d : best))
}

// suggested returns which of some columns are likely to be the key, the quality and the category.
export function suggested(columns: { name: string; type: string }[]) {
  const find = (pattern: RegExp, type: RegExp) =>
    columns.find((c) => pattern.test(c.name) && type.test(c.type))?.name ?? ''
  return {
    key: find(/^(id|uuid|key|record_id)$/i, /INT|VARCHAR|UUID/),
    quality: find(/quality|score|rating/i, /INT|DOUBLE|FLOAT|DECIMAL/),
    category: find(/^(category|kind|type|label|class|species)$/i, /VARCHAR|ENUM|BOOLEAN/),
  }
}
