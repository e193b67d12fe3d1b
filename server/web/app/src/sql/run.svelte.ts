// Running a statement: what it is doing, what came of it.
import { send } from '../lib/api'
import { asProblem } from '../lib/load.svelte'
import { isAbort, Problem } from '../lib/problem'
import { readRecords, type Records } from '../values/arrow'
import type { Place } from './editor'

/** The most that a page shows of a result: downloads have all of it. */
export const most = { rows: 10_000, bytes: 64_000_000 }

export type Outcome = {
  sql: string
  project: number
  records: Records
  /** Records that are shown: not more than the page holds. */
  rows: number
  cut: 'no' | 'rows' | 'bytes'
  milliseconds: number
}

export class Run {
  running = $state(false)
  cancelled = $state(false)
  /** Milliseconds since the start, and bytes that have come. */
  elapsed = $state(0)
  received = $state(0)
  outcome = $state.raw<Outcome>()
  error = $state.raw<Problem>()
  #control: AbortController | undefined

  /** Where the statement is wrong, if the server says so. */
  get place(): Place | undefined {
    const { line, column } = this.error?.fields ?? {}
    return typeof line === 'number' && typeof column === 'number' ? { line, column } : undefined
  }

  /** Runs a statement, in place of one that runs already. */
  async start(sql: string, project: number): Promise<void> {
    this.#control?.abort()
    const control = (this.#control = new AbortController())
    const began = performance.now()
    const tick = setInterval(() => (this.elapsed = performance.now() - began), 100)
    Object.assign(this, { running: true, cancelled: false, elapsed: 0, received: 0, error: undefined })
    try {
      const outcome = await this.#read(sql, project, control.signal, began)
      if (!control.signal.aborted) this.outcome = outcome
    } catch (cause) {
      if (this.#control !== control) return
      this.outcome = undefined
      if (control.signal.aborted || isAbort(cause)) this.cancelled = true
      else this.error = cause instanceof TypeError ? interrupted : asProblem(cause)
    } finally {
      clearInterval(tick)
      if (this.#control === control) this.running = false
    }
  }

  async #read(sql: string, project: number, signal: AbortSignal, began: number): Promise<Outcome> {
    const body = JSON.stringify({ sql, project_id: project, limit: most.rows + 1 })
    const headers = { 'Content-Type': 'application/json', Accept: 'application/vnd.apache.arrow.stream' }
    const answer = await send('POST', '/api/v1/query', body, { signal, headers })
    const records = await readRecords(answer, most.bytes, (bytes) => (this.received = bytes))
    const cut = records.isCut ? 'bytes' : records.rows > most.rows ? 'rows' : 'no'
    const rows = Math.min(records.rows, most.rows)
    return { sql, project, records: { ...records, rows }, rows, cut, milliseconds: performance.now() - began }
  }

  /** Ends the statement: the server stops it when nobody waits for it any more. */
  cancel() {
    this.#control?.abort()
  }
}

/** An answer that broke off after it had begun has no other reason than the connection. */
const interrupted = new Problem(
  0,
  'interrupted',
  'The result broke off: the statement failed or ran out of time after its first records.',
)
