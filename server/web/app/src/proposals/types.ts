// What the API says of proposals.
import type { Entry } from '../discussion/types'
import type { Commit } from '../history/commit'

export type Side = { id: string; name: string; project_id: number; head: number; deleted_at: string | null }
export type Approval = {
  user: string; text: string; created_at: string; source_head: number; target_head: number; is_current: boolean
}
export type State = 'open' | 'closed' | 'merged'

export type Proposal = {
  number: number
  title: string
  description: string
  state: State
  user: string
  created_at: string
  updated_at: string
  target: Side
  source: Side | null // removed for good, or not for the reader to see
  comments: number
  approvals: Approval[]
  merge_commit: (Commit & { rollback_commit_id: number | null }) | null
}

export type Detail = Proposal & { discussion: Entry[]; allowed: ('comment' | 'edit' | 'approve' | 'merge')[] }

export const kindOf = (state: State) => (state === 'open' ? 'accent' : state === 'merged' ? 'added' : 'plain')
