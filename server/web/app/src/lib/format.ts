// How numbers, times and text of the server are shown.

const counts = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const decimals = new Intl.NumberFormat('en', { maximumFractionDigits: 4 })

export const count = (n: number | bigint): string => counts.format(n)
export const decimal = (n: number): string => decimals.format(n)

// counted returns a number with its noun: "1 record", "2,000 records".
export function counted(n: number, one: string, many = one + 's'): string {
  return `${count(n)} ${n === 1 ? one : many}`
}

// signed returns a number with its sign; a true minus, as figures have it.
export function signed(n: number): string {
  return n > 0 ? '+' + decimal(n) : n < 0 ? '−' + decimal(-n) : '0'
}

export function bytes(n: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']
  let unit = 0
  while (n >= 999.5 && unit < units.length - 1) {
    n /= 1000
    unit++
  }
  return `${unit > 0 && n < 9.95 ? n.toFixed(1) : Math.round(n)} ${units[unit]}`
}

const steps: [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 365 * 86400], ['month', 30 * 86400], ['week', 7 * 86400], ['day', 86400], ['hour', 3600], ['minute', 60],
]
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' })

// ago returns a time as seen from another: "3 hours ago".
export function ago(time: Date, now: Date): string {
  const seconds = (time.getTime() - now.getTime()) / 1000
  for (const [unit, length] of steps) {
    if (Math.abs(seconds) >= length) return relative.format(Math.trunc(seconds / length), unit)
  }
  return Math.abs(seconds) < 10 ? 'just now' : relative.format(Math.trunc(seconds), 'second')
}

// Made once: making one takes longer than all else that a row of a list needs.
const moments = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'long' })

// exact returns a time in the reader's zone, to the second, with the zone.
export function exact(time: Date): string {
  return moments.format(time)
}

// Characters that would not be seen, or would change the order of what is around them: controls, and marks of direction.
const hidden = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu

// visible shows control characters as symbols or code points.
export function visible(text: string): string {
  return text.replace(hidden, (c) => {
    const code = c.codePointAt(0)!
    if (code < 0x20) return String.fromCodePoint(0x2400 + code)
    return code === 0x7f ? '\u2421' : `\u27e8U+${code.toString(16).toUpperCase().padStart(4, '0')}\u27e9`
  })
}

// shown returns a value of a record as text; null is up to who shows it.
export function shown(value: unknown): string {
  if (typeof value === 'string') return value
  if (value === null || value === undefined) return ''
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

// cut shortens a text; more is how many characters were left out.
export function cut(text: string, most: number): { text: string; more: number } {
  if (text.length <= most) return { text, more: 0 }
  let end = most
  const last = text.charCodeAt(end - 1)
  if (last >= 0xd800 && last < 0xdc00) end-- // not between the halves of a character
  return { text: text.slice(0, end), more: text.length - end }
}
