// The address bar as state. Pages read location.path and location.query; links are ordinary <a href> elements, whose
// clicks are caught here.

type Place = { path: string; query: URLSearchParams; hash: string }

function here(): Place {
  return {
    path: window.location.pathname, query: new URLSearchParams(window.location.search), hash: window.location.hash,
  }
}

let place = $state.raw<Place>(here())
let guard: (() => boolean) | undefined

export const location = {
  get path() {
    return place.path
  },
  get query() {
    return place.query
  },
  get hash() {
    return place.hash
  },
  // url is the address without the host.
  get url() {
    const query = place.query.toString()
    return place.path + (query ? '?' + query : '') + place.hash
  },
}

// go shows another page. replace: the address takes the place of the present one in the browser's history.
export function go(url: string, options: { replace?: boolean } = {}) {
  const target = new URL(url, window.location.origin)
  if (target.pathname !== place.path && guard && !guard()) return
  const change = options.replace ? 'replaceState' : 'pushState'
  history[change](null, '', target.pathname + target.search + target.hash)
  const moved = target.pathname !== place.path
  place = here()
  if (moved && !options.replace) window.scrollTo(0, 0)
}

// setQuery changes parameters of the present address; null or '' removes one. By default the address is replaced, so
// that "back" leaves the page; push: true for a state that the reader would want to go back to.
export function setQuery(
  change: Record<string, string | number | null | undefined>, options: { push?: boolean } = {},
) {
  const query = new URLSearchParams(place.query)
  for (const [name, value] of Object.entries(change)) {
    if (value === null || value === undefined || value === '') query.delete(name)
    else query.set(name, String(value))
  }
  const text = query.toString()
  go(place.path + (text ? '?' + text : '') + place.hash, { replace: !options.push })
}

// href makes an address of a path, whose parts are escaped, and of parameters that have a value.
export function href(
  parts: (string | number)[], query: Record<string, string | number | null | undefined> = {},
): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== '') search.set(name, String(value))
  }
  const text = search.toString()
  return '/' + parts.map((p) => encodeURIComponent(String(p))).join('/') + (text ? '?' + text : '')
}

// beforeLeaving asks before another page is shown; it returns a function that stops that.
export function beforeLeaving(may: () => boolean): () => void {
  guard = may
  return () => {
    if (guard === may) guard = undefined
  }
}

// Pages of the server that are not of this application: their links are followed as usual.
const others = ['/manual', '/docs', '/api', '/openapi.json', '/metrics', '/healthz', '/readyz']

function isOurs(url: URL): boolean {
  if (url.origin !== window.location.origin) return false
  return !others.some((p) => url.pathname === p || url.pathname.startsWith(p + '/'))
}

function onClick(event: MouseEvent) {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) {
    return
  }
  const link = (event.target as Element | null)?.closest('a')
  if (!link || !link.href || link.target || link.hasAttribute('download')) return
  const url = new URL(link.href)
  if (!isOurs(url)) return
  if (url.pathname === place.path && url.search === window.location.search && url.hash) return // a place on this page
  event.preventDefault()
  go(url.pathname + url.search + url.hash)
}

window.addEventListener('popstate', () => (place = here()))
document.addEventListener('click', onClick)
