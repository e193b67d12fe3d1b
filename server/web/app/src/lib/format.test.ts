import { expect, test } from 'vitest'

import { ago, bytes, counted, cut, signed, visible } from './format'

test('sizes have two or three digits', () => {
  expect([0, 999, 1000, 9_949, 9_960, 999_499, 999_500, 1e15].map(bytes)).toEqual([
    '0 B', '999 B', '1.0 kB', '9.9 kB', '10 kB', '999 kB', '1.0 MB', '1.0 PB',
  ])
})

test('times are told from now', () => {
  const now = new Date('2026-11-29T12:00:00Z')
  const at = (text: string) => ago(new Date(text), now)
  expect(at('2026-11-29T11:59:57Z')).toBe('just now')
  expect(at('2026-11-29T09:00:00Z')).toBe('3 hours ago')
  expect(at('2026-11-28T11:00:00Z')).toBe('yesterday')
})

test('control characters and marks of direction are visible', () => {
  expect(visible('a\u0000b\u001b[31m\u202ec')).toBe('a\u2400b\u241b[31m\u27e8U+202E\u27e9c')
  expect(visible('two\nlines\tand')).toBe('two\nlines\tand')
})

test('a long text is cut between characters', () => {
  expect(cut('abc', 3)).toEqual({ text: 'abc', more: 0 })
  expect(cut('ab\u{1f600}c', 3)).toEqual({ text: 'ab', more: 3 })
})

test('counts have their noun', () => {
  expect(counted(1, 'record')).toBe('1 record')
  expect(counted(2000, 'record')).toBe('2,000 records')
  expect(signed(-1.5)).toBe('−1.5')
})
