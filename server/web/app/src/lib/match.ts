// match returns the parameters of a path that has a pattern's form; undefined if it does not. A slash at the end does
// not matter.
export function match(pattern: string, path: string): Record<string, string> | undefined {
  const want = split(pattern)
  const have = split(path)
  if (want.length !== have.length) return undefined
  const params: Record<string, string> = {}
  for (const [i, segment] of want.entries()) {
    const value = decoded(have[i]!)
    if (value === undefined) return undefined
    if (segment.startsWith(':')) params[segment.slice(1)] = value
    else if (segment !== value) return undefined
  }
  return params
}

function split(path: string): string[] {
  return path.split('/').filter((s) => s !== '')
}

function decoded(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined // a stray %: no page has such a path
  }
}
