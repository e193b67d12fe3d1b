// The statements that were run in this browser, the last first. They are kept in its storage and nowhere else.
export type Past = { sql: string; project: number; at: string; outcome: string }

const key = 'rowback.sql'
const most = 100

function stored(): Past[] {
  try {
    const list: unknown = JSON.parse(localStorage.getItem(key) ?? '[]')
    return Array.isArray(list) ? list.filter((p) => typeof p?.sql === 'string' && typeof p?.at === 'string') : []
  } catch {
    return [] // forbidden, or not ours
  }
}

let items = $state.raw<Past[]>(stored())

export const past = {
  get items() {
    return items
  },
}

/** Adds a statement; the same one again moves to the top. */
export function remember(one: Past) {
  keep([one, ...items.filter((p) => p.sql !== one.sql || p.project !== one.project)].slice(0, most))
}

export function forget() {
  keep([])
}

function keep(list: Past[]) {
  items = list
  try {
    if (list.length) localStorage.setItem(key, JSON.stringify(list))
    else localStorage.removeItem(key)
  } catch {
    // full or forbidden: the list lasts until the page is closed
  }
}
