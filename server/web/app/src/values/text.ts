// Text of values as it is shown: nothing in it acts on the page, and nothing in it is invisible.

/** A run of text; special is what a character that would not be seen is called. */
export interface Part {
  text: string
  special?: string
}

// Characters that are invisible, move the text around them, or are not characters: C0 and C1 controls, soft hyphen,
// zero-width and direction marks, line and paragraph separators, byte order mark, interlinear marks, tags, lone
// surrogates.
const hidden =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]|\udb40[\udc00-\udc7f]/g

const pictures: Record<string, string> = { '\n': '↵', '\t': '⇥', '\r': '␍' }

const names: Record<string, string> = {
  '\n': 'line feed',
  '\t': 'tab',
  '\r': 'carriage return',
  '\u0000': 'null character',
  '\u001b': 'escape',
  '\u00ad': 'soft hyphen',
  '\u200b': 'zero-width space',
  '\u200c': 'zero-width non-joiner',
  '\u200d': 'zero-width joiner',
  '\u200e': 'left-to-right mark',
  '\u200f': 'right-to-left mark',
  '\u202a': 'left-to-right embedding',
  '\u202b': 'right-to-left embedding',
  '\u202c': 'end of direction',
  '\u202d': 'left-to-right override',
  '\u202e': 'right-to-left override',
  '\u2066': 'left-to-right isolate',
  '\u2067': 'right-to-left isolate',
  '\u2068': 'first strong isolate',
  '\u2069': 'end of isolate',
  '\ufeff': 'byte order mark',
}

/** How a hidden character is shown: a symbol, or its code. */
function picture(char: string): Part {
  const code = char.codePointAt(0) ?? 0
  const hex = 'U+' + code.toString(16).toUpperCase().padStart(4, '0')
  const known = names[char]
  const special = known ? `${known}, ${hex}` : hex
  if (pictures[char]) return { text: pictures[char], special }
  if (code < 0x20) return { text: String.fromCharCode(0x2400 + code), special }
  if (code === 0x7f) return { text: '␡', special }
  return { text: `⟨${hex}⟩`, special }
}

/**
 * Splits text into runs that are safe to show as they are and hidden characters, in order. The joiners inside of emoji
 * and of scripts that need them stay where a letter or symbol is on either side.
 */
export function parts(text: string): Part[] {
  const out: Part[] = []
  let from = 0
  for (const match of text.matchAll(hidden)) {
    const at = match.index
    if (isJoining(text, at, match[0])) continue
    if (at > from) out.push({ text: text.slice(from, at) })
    out.push(picture(match[0]))
    from = at + match[0].length
  }
  if (from < text.length) out.push({ text: text.slice(from) })
  return out
}

/** Reports whether a zero-width joiner or non-joiner shapes the characters around it. */
function isJoining(text: string, at: number, char: string): boolean {
  if (char !== '\u200d' && char !== '\u200c') return false
  const before = text.slice(Math.max(0, at - 2), at)
  const after = text.slice(at + 1, at + 3)
  return /[^\u0000-\u02ff\u2000-\u206f]$/u.test(before) && /^[^\u0000-\u02ff\u2000-\u206f]/u.test(after)
}
