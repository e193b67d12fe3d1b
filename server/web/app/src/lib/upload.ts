// Sending a file, with its progress, which fetch does not tell.
import { apiUrl, expired, type Options } from './api'
import { Problem } from './problem'

export type Progress = { sent: number; total: number } // all is sent: the server works on it

// upload sends a file, and reads the JSON of the answer.
export function upload<T>(
  path: string, file: Blob, options: Options & { onprogress?: (p: Progress) => void } = {},
): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    const stop = () => request.abort()
    request.open('POST', apiUrl(path, options.params))
    request.setRequestHeader('Content-Type', 'application/octet-stream')
    for (const [name, value] of Object.entries(options.headers ?? {})) request.setRequestHeader(name, value)
    request.upload.onprogress = (e) => options.onprogress?.({ sent: e.loaded, total: e.total || file.size })
    request.onload = () => {
      options.signal?.removeEventListener('abort', stop)
      let body: Record<string, unknown> = {}
      try {
        body = JSON.parse(request.responseText)
      } catch {
        // a proxy in between may answer in another form
      }
      if (request.status >= 200 && request.status < 300) resolve(body as T)
      else {
        if (request.status === 401) expired()
        const detail = body.detail ?? `The server answered ${request.status} ${request.statusText}.`
        reject(new Problem(request.status, String(body.code ?? ''), String(detail), body))
      }
    }
    // A server that refuses a large file early closes the connection, which looks the same from here.
    request.onerror = () => reject(new Problem(0, 'unreachable', 'The connection ended before the server answered.'))
    request.onabort = () => reject(new DOMException('The upload was stopped.', 'AbortError'))
    options.signal?.addEventListener('abort', stop)
    if (options.signal?.aborted) stop()
    else request.send(file)
  })
}
