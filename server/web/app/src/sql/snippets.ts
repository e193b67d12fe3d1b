// A statement as a program for the reader's own tools.
export type Tool = 'pandas' | 'polars' | 'DuckDB' | 'curl' | 'ADBC'

export const tools: Tool[] = ['pandas', 'polars', 'DuckDB', 'curl', 'ADBC']

type Query = { sql: string; project: number; origin: string; needsToken: boolean }

/** Returns a program that runs a statement. */
export function snippet(tool: Tool, query: Query): string {
  if (tool === 'curl') return curl(query)
  return tool === 'ADBC' ? adbc(query) : python(tool, query)
}

/** What has to be installed, and what the server needs. */
export function needs(tool: Tool): string {
  switch (tool) {
    case 'curl':
      return ''
    case 'ADBC':
      return 'pip install adbc-driver-flightsql pyarrow pandas. The server must be started with --flight-addr; use its port.'
    case 'polars':
      return 'pip install polars'
    case 'pandas':
      return 'pip install pandas pyarrow'
  }
  return 'pip install duckdb pyarrow'
}

const variable = 'ROWBACK_TOKEN'

function curl({ sql, project, origin, needsToken }: Query): string {
  const lines = [
    `curl -sS ${shell(origin + '/api/v1/query')} \\`,
    `  -H 'Content-Type: application/json' -H 'Accept: text/csv' \\`,
  ]
  if (needsToken) lines.push(`  -H "Authorization: Bearer $${variable}" \\`)
  const body = JSON.stringify({ sql, project_id: project })
  return [...lines, `  --data-binary @- <<'STATEMENT'`, body, 'STATEMENT'].join('\n') + '\n'
}

const shell = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`

const readers: Record<'pandas' | 'polars' | 'DuckDB', { library: string; read: string }> = {
  pandas: { library: 'import pyarrow as pa', read: 'pa.ipc.open_stream(urlopen(request)).read_pandas()' },
  polars: { library: 'import polars as pl', read: 'pl.read_ipc_stream(urlopen(request))' },
  DuckDB: {
    library: 'import duckdb\nimport pyarrow as pa',
    read: 'duckdb.from_arrow(pa.ipc.open_stream(urlopen(request)).read_all())',
  },
}

function python(tool: 'pandas' | 'polars' | 'DuckDB', { sql, project, origin, needsToken }: Query): string {
  const { library, read } = readers[tool]
  const token = needsToken ? `\n    "Authorization": f"Bearer {os.environ['${variable}']}",` : ''
  return `import json
${needsToken ? 'import os\n' : ''}from urllib.request import Request, urlopen

${library}

sql = ${literal(sql)}
body = json.dumps({"sql": sql, "project_id": ${project}}).encode()
request = Request(${JSON.stringify(origin + '/api/v1/query')}, body, {
    "Content-Type": "application/json",
    "Accept": "application/vnd.apache.arrow.stream",${token}
})
frame = ${read}
print(frame)
`
}

function adbc({ sql, project, origin, needsToken }: Query): string {
  const { hostname, protocol } = new URL(origin)
  const scheme = protocol === 'https:' ? 'grpc+tls' : 'grpc'
  const options = [`    "adbc.flight.sql.rpc.call_header.x-rowback-project": "${project}",`]
  if (needsToken) {
    options.push(`    "adbc.flight.sql.authorization_header": f"Bearer {os.environ['${variable}']}",`)
  }
  return `${needsToken ? 'import os\n\n' : ''}import adbc_driver_flightsql.dbapi as flightsql

sql = ${literal(sql)}
connection = flightsql.connect("${scheme}://${hostname}:8815", autocommit=True, db_kwargs={
${options.join('\n')}
})
with connection, connection.cursor() as cursor:
    cursor.execute(sql)
    frame = cursor.fetch_df()
print(frame)
`
}

/** Returns a text as Python has it: as it is written where that is the same, and otherwise with escapes. */
function literal(text: string): string {
  const needsEscapes = /[\\\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029]|"""/.test(text)
  if (!needsEscapes) return text.includes('\n') || text.endsWith('"') ? `"""\n${text}\n"""` : `"""${text}"""`
  const escaped = (c: string) => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0')
  return JSON.stringify(text).replace(/[\u007f-\u009f\u2028\u2029]/g, escaped)
}
