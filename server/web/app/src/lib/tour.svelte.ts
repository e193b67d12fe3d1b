// The tour of the samples that serve --demo loads: what its steps show, and at which of them the reader is. It goes on
// from page to page, and over a reload, until it is ended.
import { datasetPath, get, newKey, post } from './api'
import { Problem } from './problem'
import { href } from './router.svelte'

export type Step = {
  title: string
  text: string // what there is to see on the page
  open: () => Promise<string> // the page's address; it makes what the page shows, where that is missing
  next?: string // what the button says that leads here, where that is more than going on
}

// samples are the datasets that it needs.
export const samples = ['employees', 'my_dataset', 'penguins']

const sample = 'employees'
const kept = 'tour' // in the browser's storage of this tab

export const steps: Step[] = [
  {
    title: 'The history',
    text: 'Each yearly import of employees is a commit, and says what it added, removed and modified. Every state it left can be read, compared and gone back to.',
    open: async () => href(['datasets', sample, 'history']),
  },
  {
    title: 'A difference',
    text: 'What the import of 2017 changed, value by value: who moved, and who is new. Above it, any two states can be chosen.',
    open: async () => href(['datasets', sample, 'compare'], { from: await imported(2016), to: await imported(2017) }),
  },
  {
    title: 'A blocked rollback',
    text: 'The import of 2016 moved Ben to York, and that of 2018 moved him on. Undoing 2016 alone would mix the two, so it is refused: the page names the commits in the way, says how many records they share, and offers to undo them all.',
    open: async () => href(['datasets', sample, 'commits', await imported(2016), 'rollback']),
  },
  {
    title: 'A fork',
    text: 'A dataset of your own that shares the history and copies no data. Its newest commit moves Ben to another city; employees itself is as it was.',
    next: 'Fork, and change a record',
    open: async () => href(['datasets', await fork(), 'history']),
  },
  {
    title: 'A merge',
    text: 'What was done in the fork is done again in employees, after a look at what would happen. A merge can be taken back like any other commit.',
    open: async () => href(['datasets', sample, 'merge'], { source: await fork() }),
  },
  {
    title: 'SQL',
    text: 'Every state is a table: employees as it is now, joined with what it was two commits ago.',
    open: async () => href(['sql'], { sql: moved }),
  },
]

const moved = `SELECT now.name, was.city AS lived_in, now.city AS lives_in
FROM employees AS now
JOIN "employees@head~2" AS was USING (id)
WHERE now.city <> was.city
ORDER BY now.name`

type State = { step: number; fork?: string }

function restored(): State | undefined {
  try {
    const state = JSON.parse(sessionStorage.getItem(kept) ?? 'null')
    return Number.isInteger(state?.step) && state.step in steps ? state : undefined
  } catch {
    return undefined // storage that is not allowed, or what another program wrote
  }
}

let state = $state.raw<State | undefined>(restored())

function keep(next: State | undefined) {
  state = next
  try {
    if (next) sessionStorage.setItem(kept, JSON.stringify(next))
    else sessionStorage.removeItem(kept)
  } catch {
    // Without storage the tour ends with a reload.
  }
}

export const tour = {
  // step is the index of the step that is shown; undefined: there is no tour.
  get step() {
    return state?.step
  },
}

// show returns the address of a step's page, which is the present one from then on.
export async function show(step: number): Promise<string> {
  const address = await steps[step]!.open()
  keep({ ...state, step })
  return address
}

export function endTour() {
  keep(undefined)
}

type Commits = { commits: { id: number; message: string }[] }

// imported returns the commit that imported a year.
async function imported(year: number): Promise<number> {
  const { commits } = await get<Commits>(datasetPath(sample, 'commits'), { mode: 'overwrite', limit: 1000 })
  const found = commits.find((c) => c.message === `Import ${year} address file`)
  if (!found) throw new Error(`The dataset employees has no import of ${year}: it is not the sample.`)
  return found.id
}

// exists reports whether there is a dataset that the reader may see.
export async function exists(dataset: string, signal?: AbortSignal): Promise<boolean> {
  try {
    await get(datasetPath(dataset), {}, signal)
    return true
  } catch (cause) {
    if (cause instanceof Problem && cause.status === 404) return false
    throw cause
  }
}

// fork returns the id of the tour's fork of the sample, which it makes once, and again where it was deleted.
async function fork(): Promise<string> {
  if (state?.fork && (await exists(state.fork))) return state.fork
  const once = () => ({ headers: { 'Idempotency-Key': newKey() } })
  const { id } = await post<{ id: string }>(datasetPath(sample, 'forks'), {}, once())
  const [ben] = await get<{ city: string }[]>(datasetPath(id, 'data'), { key: 2 })
  // After an earlier tour he lives in the first: the commit has to change something.
  const [address, city] = ben?.city === 'Lisbon' ? ['3 Rua das Flores', 'Porto'] : ['7 Rua Nova', 'Lisbon']
  await post(datasetPath(id, 'commits') + '?mode=upsert&message=Ben+moves+to+' + city, [{ id: 2, address, city }], once())
  if (state) keep({ ...state, fork: id })
  return id
}
