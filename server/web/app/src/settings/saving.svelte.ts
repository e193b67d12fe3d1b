// A change of a dataset that is sent when a button is pressed: whether it is under way, and why it was refused.
import { asProblem } from '../lib/load.svelte'
import type { Problem } from '../lib/problem'
import { tell } from '../lib/toast.svelte'

export type Saving = {
  readonly busy: boolean
  readonly error: Problem | undefined
  run: (change: () => Promise<unknown>, said: string) => Promise<boolean>
}

// saving returns what runs changes; done is called after each that succeeded.
export function saving(done: () => void): Saving {
  let busy = $state(false)
  let error = $state.raw<Problem>()
  return {
    get busy() {
      return busy
    },
    get error() {
      return error
    },
    async run(change, said) {
      busy = true
      error = undefined
      try {
        await change()
        tell(said)
        done()
      } catch (cause) {
        error = asProblem(cause)
      }
      busy = false
      return !error
    },
  }
}
