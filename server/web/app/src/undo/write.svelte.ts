// A write that a person has looked at before: it is done once, and on the state that they saw.
import { newKey, send } from '../lib/api'
import { asProblem } from '../lib/load.svelte'
import type { Problem } from '../lib/problem'
import { parse, stringify } from './exact'

export type Write<T> = {
  readonly busy: boolean
  readonly error: Problem | undefined
  readonly done: T | undefined
  run: (path: string, body: unknown, head: number) => Promise<void>
  clear: () => void
}

// write sends a body with the head that the person saw: where another commit came in between, nothing is done. A request
// that is sent again after a broken connection is done once.
export function write<T>(then?: (done: T) => void): Write<T> {
  let busy = $state(false)
  let error = $state.raw<Problem>()
  let done = $state.raw<T>()
  let key = newKey()
  let last = ''

  async function run(path: string, body: unknown, head: number) {
    const text = stringify(body)
    const asked = [path, head, text].join(' ')
    if (asked !== last) key = newKey()
    last = asked
    busy = true
    error = undefined
    try {
      const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': key }
      const answer = await send('POST', path, text, { params: { expected_head: head }, headers })
      done = parse<T>(await answer.text())
      then?.(done)
    } catch (cause) {
      error = asProblem(cause)
      if (error.status !== 0) key = newKey()
    }
    busy = false
  }

  return {
    get busy() {
      return busy
    },
    get error() {
      return error
    },
    get done() {
      return done
    },
    run,
    clear: () => (error = undefined),
  }
}
