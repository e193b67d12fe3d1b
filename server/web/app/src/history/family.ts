// The datasets of a family as lanes beside the history of one of them: where each lane ends, and in which one.
import { get } from '../lib/api'
import type { Dataset } from '../lib/types'
import type { Branch } from './lanes'

export type Member = Pick<Dataset, 'id' | 'name' | 'head' | 'upstream_id' | 'fork_commit'>

/** Reads the family of a dataset, those that changed last first, up to so many. */
export async function readFamily(dataset: string, most: number, signal: AbortSignal): Promise<{ members: Member[]; total: number }> {
  const params = { family: dataset, sort: '-changed', limit: most }
  const page = await get<{ datasets: Member[]; total: number }>('/api/v1/datasets', params, signal)
  return { members: page.datasets, total: page.total }
}

/**
 * Returns the members that are drawn beside the main one, up to so many, each with the commit at which its lane ends:
 * the last that it shares with the lane that it ends in. A member that is not drawn, or that the reader may not see, is
 * passed over: the lane of its fork goes on to the next that is drawn.
 */
export function branchesOf(main: Member, members: Member[], most: number): Branch[] {
  const known = new Map([...members, main].map((m) => [m.id, m]))
  const inherited = inheritance(main, known)
  const drawn = members.filter((m) => m.id !== main.id).slice(0, most)
  const isDrawn = new Set(drawn.map((m) => m.id))
  const done = new Map<string, Branch>()

  function branch(of: Member): Branch {
    const before = done.get(of.id)
    if (before) return before
    const found = { id: of.id, name: of.name, head: of.head, ...place(of) }
    done.set(of.id, found)
    return found
  }

  function place(of: Member): { base: number; parent?: string } {
    const limit = inherited.get(of.id)
    if (limit !== undefined) return { base: limit, parent: main.id } // what the main one was forked from
    let base = of.fork_commit ?? 0
    let up = of.upstream_id
    for (;;) {
      if (up === main.id) return { base, parent: main.id }
      const above = up === null ? undefined : known.get(up)
      if (!above) return { base }
      const shared = inherited.get(above.id)
      if (shared !== undefined && base <= shared) return { base, parent: main.id }
      if (isDrawn.has(above.id) && base > branch(above).base) return { base, parent: above.id }
      if (shared !== undefined) return { base: shared, parent: main.id }
      base = Math.min(base, above.fork_commit ?? 0)
      up = above.upstream_id
    }
  }
  return drawn.map(branch)
}

/** Returns up to which commit a dataset has the history of each that it was forked from. */
function inheritance(of: Member, known: Map<string, Member>): Map<string, number> {
  const out = new Map<string, number>()
  let limit = Infinity
  for (let at: Member | undefined = of; at?.upstream_id; at = known.get(at.upstream_id)) {
    limit = Math.min(limit, at.fork_commit ?? 0)
    out.set(at.upstream_id, limit)
  }
  return out
}
