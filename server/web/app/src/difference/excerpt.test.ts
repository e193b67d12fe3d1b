import { expect, test } from 'vitest'

import { excerpts } from './excerpt'

test('short texts are shown whole', () => {
  expect(excerpts('Milan', 'Rome', 20)).toEqual({ before: 'Milan', after: 'Rome', isCut: false })
})

test('what both begin with is left out, to where they differ', () => {
  const same = 'The same words at the beginning, '.repeat(5)
  const { before, after, isCut } = excerpts(same + 'then this', same + 'then that', 40)
  expect([before.slice(-4), after.slice(-4), isCut]).toEqual(['this', 'that', true])
  expect(before.length).toBeLessThan(25)
})

test('texts that differ from the start are cut at the end, between characters', () => {
  expect(excerpts('x'.repeat(100), 'y'.repeat(100), 20)).toEqual({ before: 'xxxxxxx…', after: 'yyyyyyy…', isCut: true })
  const { after } = excerpts('a', 'b' + '😀'.repeat(50), 20)
  expect(encodeURIComponent(after)).toContain('b') // which throws on half a character
})

test('a text that goes on where the other ends is shown to its end', () => {
  const { before, after } = excerpts('abc '.repeat(20), 'abc '.repeat(20) + 'end', 24)
  expect(before.startsWith('…')).toBe(true)
  expect(after).toContain('end')
})
