// The names of a dataset's states. Several parts of a page ask for them at once: one request answers them all.
import { datasetPath, get } from './api'

type Named = { commit_id: number; description: string; user: string; created_at: string }
type Version = Named & { version: string; is_active: boolean; total_entries: number; vacuumed_at?: string }
export type Refs = {
  head: number
  versions: Version[]
  savepoints: (Named & { version: string })[]
  tags: (Named & { name: string })[]
}

const asked = new Map<string, Promise<Refs>>()

/** Reads the names of a dataset's states. What is answered is not kept: they may change. */
export function readRefs(dataset: string): Promise<Refs> {
  let answer = asked.get(dataset)
  if (!answer) {
    answer = get<Refs>(datasetPath(dataset, 'refs')).finally(() => asked.delete(dataset))
    asked.set(dataset, answer)
  }
  return answer
}
