// Answers of the API about the server and its users.
export type Grant = { project: string; role: 'reader' | 'writer' | 'maintainer' | 'admin' } // project *: all

export type User = { name: string; description: string; is_disabled: boolean; created_at: string; roles: Grant[] }

export type Token = {
  id: string
  user: string
  description: string
  role: Grant['role']
  projects: string[] | null // null: all
  created_at: string
  created_by: string
  expires_at: string | null
  last_used_at: string | null
}

export type Session = {
  id: string
  user: string
  by: 'token' | 'operator' | 'provider' | 'name'
  token: string | null
  address: string
  started_at: string
  last_used_at: string
  expires_at: string
  is_current: boolean
}

export type Project = {
  id: number
  name: string
  description: string
  datasets: number
  role: Grant['role']
  created_at: string | null // null: it has only its number
}

export type Quota = {
  project_id: number
  max_bytes: number | null
  max_records: number | null
  bytes: number
  records: number
}

export type Webhook = {
  id: string
  url: string
  description: string
  kinds: string[] // none: all
  project_id: number | null
  dataset_id: string | null
  enabled: boolean
  disabled_reason?: string
  failures: number
  failing_since: string | null
  user: string
  created_at: string
}

export type Delivery = {
  id: number
  kind: string
  state: 'queued' | 'delivered' | 'failed' | 'dropped'
  attempts: number
  status: number | null
  problem?: string
  created_at: string
  last_attempt_at: string | null
  next_attempt_at: string | null
  body: string
}

export type StoreBackup = {
  id: string
  family_id: string | null
  created_at: string
  finished_at: string
  full: boolean
  objects: number
  bytes: number
  objects_copied: number
  bytes_copied: number
  is_complete: boolean
  damaged_objects: number
  datasets: number
}

export type Upkeep = {
  files_opened: number
  next: { files_made: number; files_read: number; rows: number; bytes: number; key_filters: number }
  vacuum: Vacuumed
}

export type Vacuumed = { commits_total: number; rows: number; files: number; bytes: number }

export const roles: Grant['role'][] = ['reader', 'writer', 'maintainer', 'admin']

/** What each role may do, as the manual has it. */
export const may: Record<Grant['role'], string> = {
  reader: 'read, compare and query',
  writer: 'also commit, roll back, fork, merge and name versions',
  maintainer: 'also change columns, restore, delete, and set gates and retention',
  admin: 'everything in all projects, and users, tokens and projects',
}
