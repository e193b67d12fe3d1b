// Requests to the API. Every answer that is an error becomes a Problem.
import { Problem, problemOf } from './problem'

type Value = string | number | boolean | null | undefined
export type Params = Record<string, Value | Value[]>

export type Options = {
  params?: Params // of the query string; those without a value are left out
  signal?: AbortSignal
  headers?: Record<string, string>
}

// onExpired is called when the server no longer knows who is asking. The shell asks the reader to log in.
let onExpired: () => void = () => {}

export function whenExpired(then: () => void) {
  onExpired = then
}

// expired says that a request was refused because the server does not know who is asking.
export const expired = () => onExpired()

// apiUrl returns the address of an API path with parameters, for links and requests.
export function apiUrl(path: string, params: Params = {}): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(params)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== '') query.append(name, String(one))
    }
  }
  const text = query.toString()
  return path + (text ? '?' + text : '')
}

// datasetPath returns the API path of a dataset, by id, and of what is below it.
export function datasetPath(dataset: string, ...below: (string | number)[]): string {
  return ['/api/v1/datasets', ...[dataset, ...below].map((p) => encodeURIComponent(String(p)))].join('/')
}

// send sends a request and returns an answer that is not an error.
export async function send(
  method: string, path: string, body?: BodyInit | null, options: Options = {},
): Promise<Response> {
  let answer: Response
  try {
    answer = await fetch(apiUrl(path, options.params), {
      method, body, signal: options.signal, headers: options.headers, credentials: 'same-origin', cache: 'no-store',
    })
  } catch (error) {
    if (options.signal?.aborted) throw new DOMException('The page was left.', 'AbortError')
    throw new Problem(0, 'unreachable', 'The server does not answer.')
  }
  if (answer.ok) return answer
  const problem = await problemOf(answer)
  if (answer.status === 401) expired()
  throw problem
}

async function json<T>(answer: Response): Promise<T> {
  return answer.status === 204 ? (undefined as T) : await answer.json()
}

async function write<T>(method: string, path: string, body: unknown, options: Options = {}): Promise<T> {
  const headers = { ...options.headers }
  if (body !== undefined) headers['Content-Type'] = 'application/json'
  return json<T>(await send(method, path, body === undefined ? undefined : JSON.stringify(body), { ...options, headers }))
}

export async function get<T>(path: string, params?: Params, signal?: AbortSignal): Promise<T> {
  return json<T>(await send('GET', path, undefined, { params, signal, headers: { Accept: 'application/json' } }))
}

export const post = <T>(path: string, body?: unknown, options?: Options) => write<T>('POST', path, body, options)
export const put = <T>(path: string, body?: unknown, options?: Options) => write<T>('PUT', path, body, options)
export const patch = <T>(path: string, body?: unknown, options?: Options) => write<T>('PATCH', path, body, options)
export const del = <T = void>(path: string, options?: Options) => write<T>('DELETE', path, undefined, options)

// all reads every page of a list with a cursor, up to a number of items. field is the list's name in the answer.
export async function all<T>(
  path: string, field: string, params: Params = {}, signal?: AbortSignal, most = 10_000,
): Promise<T[]> {
  const items: T[] = []
  let cursor: string | null = null
  do {
    const page: Record<string, unknown> = await get(path, { ...params, cursor }, signal)
    items.push(...(page[field] as T[]))
    cursor = (page.next_cursor as string | null) ?? null
  } while (cursor && items.length < most)
  return items
}

// newKey returns a value for the header Idempotency-Key: a request that is sent twice is then done once.
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('')
}
