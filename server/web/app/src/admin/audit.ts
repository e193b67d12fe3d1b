// Entries of the audit log that fit what was asked for.
export type Filter = { user: string; dataset: string; kind: string; since: string; until: string; refused: boolean }

const columns = [
  'number',
  'time',
  'user_name',
  'kind',
  'route',
  'dataset',
  'commits',
  'status',
  'code',
  'detail',
  'address',
  'token_id',
  'session_id',
  'face',
  'project_id',
  'dataset_id',
  'job',
  'repeated',
  'sql_sha256',
  'request_id',
]

/** Returns the conditions of a filter, and the values of their parameters. */
export function conditions(filter: Filter): { where: string[]; values: Record<string, string> } {
  const where: string[] = []
  const values: Record<string, string> = {}
  const add = (condition: string, name: string, value: string) => {
    if (!value) return
    where.push(condition)
    values[name] = value
  }
  add('user_name = $user', 'user', filter.user)
  add('(dataset = $dataset OR dataset_id = $dataset)', 'dataset', filter.dataset)
  add('kind = $kind', 'kind', filter.kind)
  add('"time" >= $since::TIMESTAMPTZ', 'since', instant(filter.since))
  add('"time" < $until::TIMESTAMPTZ', 'until', instant(filter.until))
  if (filter.refused) where.push('(status >= 400 OR code IS NOT NULL)')
  return { where, values }
}

/** Returns a time of the reader's zone as the server has it. */
function instant(local: string): string {
  const time = new Date(local)
  return local && !Number.isNaN(time.getTime()) ? time.toISOString() : ''
}

/** Returns the statement that finds the entries, the newest first. */
export function statement(filter: Filter): string {
  const { where } = conditions(filter)
  return `SELECT ${columns.map((c) => `"${c}"`).join(', ')} FROM rowback.audit
${where.length ? `WHERE ${where.join(' AND ')}\n` : ''}ORDER BY number DESC`
}
