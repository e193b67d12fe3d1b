// The sections of the administration, and who is offered which.
import { maySomewhere, me } from '../lib/me.svelte'

export type Section = {
  name: string // in the address
  title: string
  allowed: () => boolean
  /** Who may see it, for those who may not. */
  needs: string
}

const admin = () => me.value?.is_admin ?? false
const anyone = () => me.value !== undefined

export const sections: Section[] = [
  { name: 'overview', title: 'Overview', allowed: anyone, needs: '' },
  { name: 'tokens', title: 'Tokens', allowed: anyone, needs: '' },
  { name: 'users', title: 'Users', allowed: admin, needs: 'Users and their roles are for admins.' },
  { name: 'projects', title: 'Projects', allowed: anyone, needs: '' },
  {
    name: 'webhooks',
    title: 'Webhooks',
    allowed: () => maySomewhere('maintainer'),
    needs: 'Webhooks are for maintainers of a project.',
  },
  { name: 'rules', title: 'Gates and retention', allowed: anyone, needs: '' },
  { name: 'upkeep', title: 'Upkeep', allowed: anyone, needs: '' },
  { name: 'backups', title: 'Backups', allowed: admin, needs: 'Backups of the store are for admins.' },
  { name: 'audit', title: 'Audit log', allowed: admin, needs: 'The audit log is for admins.' },
]

/** The highest role that the reader has, in words. */
export function ownRole(): string {
  if (admin()) return 'an admin'
  const role = (['maintainer', 'writer', 'reader'] as const).find((r) => maySomewhere(r))
  return role ? `a ${role}` : 'without a role'
}
