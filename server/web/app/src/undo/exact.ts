// JSON whose integers keep every digit, so that a key which is sent back is the one that came. Where the browser's JSON
// does not tell how a number was written, a large integer is rounded as everywhere in JavaScript.
type Reviver = (this: unknown, key: string, value: unknown, context?: { source?: string }) => unknown
type Raw = typeof JSON & { rawJSON?: (text: string) => unknown }

export function parse<T>(text: string): T {
  const exact: Reviver = (_, value, context) =>
    typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? '')
      ? BigInt(context!.source!)
      : value
  return JSON.parse(text, exact as Parameters<typeof JSON.parse>[1]) as T
}

export function stringify(value: unknown): string {
  const json: Raw = JSON
  return JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? (json.rawJSON?.(String(v)) ?? Number(v)) : v))
}
