// What people say about proposals and comparisons.

export type Entry = {
  id: number
  kind: 'comment' | 'approval' | 'withdrawal' | 'closed' | 'reopened'
  user: string
  created_at: string
  text: string
  key?: Record<string, unknown>
  erased: boolean
  source_head?: number
  edited_at: string | null
  deleted_at: string | null // it has no text and no key any more
}

/** Where a record is looked up: a dataset at a ref, by default its head. */
export type RecordSide = { id: string; name: string; ref?: string; deleted_at?: string | null }

export const did: Record<Entry['kind'], string> = {
  comment: 'commented', approval: 'approved', withdrawal: 'withdrew the approval', closed: 'closed the proposal',
  reopened: 'opened the proposal again',
}
