// Commits as the API has them, and how they are shown.
import { type Refs, readRefs } from '../lib/refs'

export const modes = [
  'append', 'overwrite', 'upsert', 'replace', 'delete', 'rollback', 'restore', 'schema', 'edit', 'fork', 'merge',
] as const

export type SchemaChange = { change: string; column: string; from?: string; to?: string; old?: string; new?: string }

/** What a commit was made from, as its metadata says. */
export type Lineage = {
  sources?: { name: string; sha256?: string; size?: number; uri?: string }[]
  inputs?: { dataset: string; ref: string; dataset_id: string; commit_id: number }[]
}

/** The lineage in the metadata of a commit. */
export function lineageOf(c: Commit): Lineage | undefined {
  const lineage = c.metadata?.lineage
  return lineage && typeof lineage === 'object' ? (lineage as Lineage) : undefined
}

export type Commit = {
  id: number
  dataset_id: string
  mode: (typeof modes)[number]
  status: 'completed' | 'rolled_back'
  message: string
  user: string
  created_at: string
  parent_commit_id: number | null
  rollback_commit_id: number | null
  merge_commit_id: number | null
  records_added: number
  records_removed: number
  records_modified: number
  records_total: number
  records_not_found?: number
  hash: string
  schema_changes: SchemaChange[] | null
  columns_cleared: string[] | null
  warnings?: string[]
  gates_failed?: string[]
  metadata: Record<string, unknown>
  params: Record<string, unknown>
  digest?: string
  erased_at?: string
  vacuumed_at?: string
}

/** An action of a merge: a commit as collaborators see it. */
export type Action = {
  commit_id: number
  dataset_id: string
  datetime: string
  user: string
  key: string
  hash: string
  message: string
  records_added: number
  records_removed: number
  records_modified: number
}

/** What an action did, in words: the API says Dataset.upsert, Variable.create. */
export function actionName(key: string): string {
  const [noun = '', verb = ''] = key.split('.')
  if (!verb || noun === 'Dataset') return verb || key
  return noun === 'Variable' ? `${verb} column` : `${verb} ${noun.toLowerCase()}`
}

/** A name that a commit has. */
export type Label = { kind: 'version' | 'savepoint' | 'tag' | 'head'; text: string; title: string }

/** Reads the names of a dataset's commits. */
export async function readLabels(dataset: string): Promise<Map<number, Label[]>> {
  return labelsOf(await readRefs(dataset))
}

export function labelsOf(refs: Refs): Map<number, Label[]> {
  const out = new Map<number, Label[]>()
  const add = (commit: number, label: Label) => out.set(commit, [...(out.get(commit) ?? []), label])
  if (refs.head) add(refs.head, { kind: 'head', text: 'head', title: 'The newest commit' })
  for (const v of refs.versions) {
    const title = [`Version ${v.version}`, v.is_active ? '' : 'inactive', v.description].filter(Boolean).join(': ')
    add(v.commit_id, { kind: 'version', text: v.version, title })
  }
  for (const t of refs.tags) {
    add(t.commit_id, { kind: 'tag', text: t.name, title: ['Tag', t.description].filter(Boolean).join(': ') })
  }
  for (const s of refs.savepoints) {
    add(s.commit_id, { kind: 'savepoint', text: s.version, title: ['Savepoint', s.description].filter(Boolean).join(': ') })
  }
  return out
}

/** What a commit without a message is called. */
export function titleOf(c: Commit): string {
  if (c.message) return c.message.split('\n', 1)[0]!
  switch (c.mode) {
    case 'rollback':
      return `Rollback of commit ${c.parent_commit_id}`
    case 'restore':
      return `Restore of ${c.params.ref ?? 'an earlier state'}`
    case 'fork':
      return `Fork of ${c.params.upstream_name ?? 'another dataset'}`
    case 'merge':
      return `Merge of ${c.params.source_name ?? 'another dataset'}`
  }
  const names: Partial<Record<Commit['mode'], string>> = { schema: 'Change of the schema', edit: 'Change of the description' }
  return names[c.mode] ?? `${c.mode[0]!.toUpperCase()}${c.mode.slice(1)} without a message`
}

/** The colour of a mode's badge. */
export function kindOfMode(mode: string): 'plain' | 'accent' | 'added' | 'removed' | 'modified' {
  switch (mode) {
    case 'append':
      return 'added'
    case 'delete':
    case 'rollback':
    case 'restore':
      return 'removed'
    case 'overwrite':
    case 'upsert':
    case 'replace':
      return 'modified'
    case 'fork':
    case 'merge':
      return 'accent'
  }
  return 'plain'
}
