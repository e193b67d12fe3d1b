// Loading data for a page, with its states.
import { untrack } from 'svelte'

import { session } from './me.svelte'
import { Problem, isAbort } from './problem'

export type Loaded<T> = {
  readonly data: T | undefined // what was read last; it stays while newer data is read
  readonly error: Problem | undefined
  readonly loading: boolean
  reload: () => void
}

// load reads data when a component is made, and again when what the function reads synchronously changes. A request is
// ended when a newer one replaces it, and when the page is left.
//
// What is refused because the session has ended is read once the reader has logged in again; until then, what was read
// before stays.
//
//   const commits = load((signal) => get<CommitList>(datasetPath(id, 'commits'), { cursor }, signal))
export function load<T>(read: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  let data = $state.raw<T>()
  let error = $state.raw<Problem>()
  let loading = $state(true)
  let again = $state(0)
  let waiting = false // for the reader to log in again

  $effect(() => {
    void session.renewals
    if (waiting) untrack(() => again++)
  })
  $effect(() => {
    void again
    const control = new AbortController()
    loading = true
    waiting = false
    read(control.signal).then(
      (value) => {
        if (control.signal.aborted) return
        data = value
        error = undefined
        loading = false
      },
      (cause) => {
        if (control.signal.aborted || isAbort(cause)) return
        waiting = cause instanceof Problem && cause.status === 401 && session.hasEnded
        if (waiting) return
        error = asProblem(cause)
        loading = false
      },
    )
    return () => control.abort()
  })

  return {
    get data() {
      return data
    },
    get error() {
      return error
    },
    get loading() {
      return loading
    },
    reload: () => again++,
  }
}

// asProblem makes a problem of whatever was thrown. What is not a problem is a mistake in the pages: it is shown too.
export function asProblem(cause: unknown): Problem {
  if (cause instanceof Problem) return cause
  console.error(cause)
  return new Problem(-1, 'page', `The page could not show this: ${cause instanceof Error ? cause.message : cause}`)
}
