// Who the reader is, and what they may do.
import { get, post } from './api'
import { Problem } from './problem'

export type Role = 'reader' | 'writer' | 'maintainer' | 'admin'
type RoleIn = { project_id: number | null; role: Role } // null: in all projects

export type Me = {
  user: string
  is_admin: boolean
  is_open: boolean // the server has never had a token: everyone is an admin, and there is nothing to log in to
  is_session: boolean // they logged in, and can log out
  roles: RoleIn[]
}

const order: Role[] = ['reader', 'writer', 'maintainer', 'admin']

let current = $state.raw<Me | undefined>()
let failure = $state.raw<Problem | undefined>()
let known = $state(false)
let asked = $state(0) // requests that were refused since the session ended; 0: it has not
let renewed = $state(0)

export const me = {
  get value() {
    return current
  },
  get error() {
    return failure
  },
  // settled: the server has said who the reader is, or that they are not known
  get settled() {
    return known
  },
}

// What became of the reader's session while pages were shown.
export const session = {
  get hasEnded() {
    return asked > 0
  },
  get asked() {
    return asked
  },
  // renewals grows when the reader has logged in again: what was refused can be asked for anew.
  get renewals() {
    return renewed
  },
}

// sessionEnded says that the server no longer knows the reader, whose pages stay.
export function sessionEnded() {
  asked++
}

// renew goes on with a new session. Another user has other rights: then everything is read anew.
export async function renew(): Promise<void> {
  const found = await get<Me>('/api/v1/me')
  if (found.user !== current?.user) {
    window.location.reload()
    return
  }
  current = found
  asked = 0
  renewed++
}

// forget has the next refusal lead to the login page.
export function forget() {
  current = undefined
}

// learn asks the server who the reader is.
export async function learn(): Promise<void> {
  try {
    current = await get<Me>('/api/v1/me')
    failure = undefined
    asked = 0
  } catch (error) {
    current = undefined
    failure = error instanceof Problem && error.status !== 401 ? error : undefined
  }
  known = true
}

// may reports whether the reader has a role, or one above it, in a project.
export function may(project: number | undefined, role: Role): boolean {
  if (!current) return false
  if (current.is_admin) return true
  const least = order.indexOf(role)
  return current.roles.some(
    (r) => (r.project_id === null || r.project_id === project) && order.indexOf(r.role) >= least,
  )
}

// maySomewhere reports whether the reader has a role, or one above it, in any project.
export function maySomewhere(role: Role): boolean {
  if (!current) return false
  return current.is_admin || current.roles.some((r) => order.indexOf(r.role) >= order.indexOf(role))
}

// logIn starts a session: the server sets a cookie that pages cannot read.
export async function logIn(token: string): Promise<void> {
  await post('/api/login', { email: '', password: token })
}

export async function logOut(): Promise<void> {
  await post('/api/logout').catch((cause) => {
    if (!(cause instanceof Problem && cause.status === 401)) throw cause // else the session had ended before
  })
  current = undefined
  asked = 0
}
