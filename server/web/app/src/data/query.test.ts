import { expect, test } from 'vitest'

import { condition, isNumeric, keyText, listed } from './query'

test('conditions quote names and texts, and leave numbers as they are', () => {
  const name = { name: 'a"b', type: 'VARCHAR' }
  expect(condition(name, '=', "x' OR 1=1")).toBe(`"a""b" = 'x'' OR 1=1'`)
  expect(condition({ name: 'n', type: 'BIGINT' }, '>', ' 5 ')).toBe('"n" > 5')
  expect(condition({ name: 'n', type: 'BIGINT' }, '>', '5; x')).toBe(`"n" > '5; x'`)
  expect(condition(name, 'contains', 'Ü%')).toBe(`contains(lower(CAST("a""b" AS VARCHAR)), 'ü%')`)
  expect(condition(name, 'null', '')).toBe('"a""b" IS NULL')
})

test('keys are told exactly, also integers past 2^53', () => {
  expect(keyText([{ name: 'id', value: 9007199254740993n }])).toBe('9007199254740993')
  expect(keyText([{ name: 'a', value: 'x"y' }, { name: 'b', value: 9007199254740993n }])).toBe(
    '{"a":"x\\"y","b":9007199254740993}',
  )
})

test('names in lists are quoted', () => {
  expect(listed('a,b"c')).toBe('"a,b""c"')
  expect(['DECIMAL(9,2)', 'UBIGINT', 'VARCHAR'].map(isNumeric)).toEqual([true, true, false])
})
