// Problem is an error answer of the server (RFC 9457), or a failure to get one.
export class Problem extends Error {
  status: number // 0: there was no answer
  code: string
  fields: Record<string, unknown> // whatever else the answer tells, such as blocking_commits

  constructor(status: number, code: string, detail: string, fields: Record<string, unknown> = {}) {
    super(detail)
    this.status = status
    this.code = code
    this.fields = fields
  }
}

// problemOf reads an error answer. A proxy in between may answer in another form.
export async function problemOf(answer: Response): Promise<Problem> {
  const type = answer.headers.get('Content-Type') ?? ''
  if (type.includes('json')) {
    try {
      const body = await answer.json()
      return new Problem(answer.status, body.code ?? '', body.detail ?? body.title ?? answer.statusText, body)
    } catch {
      // not what it says it is
    }
  }
  return new Problem(answer.status, '', `The server answered ${answer.status} ${answer.statusText}.`)
}

// isAbort reports whether an error is only that a page was left, or a newer request replaced an older one.
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError'
}

// remedy says what to do about an error, beyond what the server says.
export function remedy(problem: Problem): string {
  switch (problem.status) {
    case 0:
      return 'Check that the server is running and that you are connected, then try again.'
    case 401:
      return 'Log in again.'
    case 403:
      return 'Ask an administrator for the role, or log in as another user.'
    case 404:
      return problem.code === 'dataset_not_found'
        ? 'It may have been deleted or renamed, or you may have no role in its project.'
        : ''
    case 410:
      return 'Choose a later state.'
    case 429:
    case 503:
      return 'Wait a moment, then try again.'
  }
  return problem.status >= 500 ? 'The server has logged the cause. Try again, or tell its operator.' : ''
}
