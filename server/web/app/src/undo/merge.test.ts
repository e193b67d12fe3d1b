import { expect, test } from 'vitest'

import type { Action } from '../history/commit'
import { parse, stringify } from './exact'
import { cellsOf, type Conflict, joined, ofAction, ofRecord, resolutions } from './merge'

const conflict = (hash: string, ...keys: number[]): Conflict => ({
  action: { hash } as Action, detail: '', variable: null, count: keys.length,
  records: keys.map((id) => ({
    key: { id }, cells: [{ column: 'c', base: 1, ours: 2, theirs: 3 }], before: { id }, after: { id }, now: { id },
  })),
})

test('decisions about records come before those about their actions', () => {
  const a = conflict('a', 1, 2)
  const b = conflict('b', 1)
  const decided = { [ofAction(a)]: 'ours', [ofRecord(a, a.records[1]!)]: 'theirs', [ofRecord(b, b.records[0]!)]: 'ours' } as const
  expect(resolutions([a, b], decided)).toEqual([
    { key: { id: 2 }, hash: 'a', take: 'theirs' }, { key: { id: 1 }, hash: 'b', take: 'ours' }, { hash: 'a', take: 'ours' },
  ])
  expect(resolutions([a, b], {})).toEqual([])
})

test('conflicts that turn up later are added, and none is lost when it is decided', () => {
  const known = [conflict('a', 1)]
  expect(joined(known, [])).toBe(known)
  expect(joined(known, [conflict('a', 1), conflict('b', 2)]).map(ofAction)).toEqual(['a', 'b'])
})

test('a record that one side removed is shown as a whole', () => {
  const [r] = conflict('a', 1).records
  expect(cellsOf(r!)).toHaveLength(1)
  expect(cellsOf({ ...r!, now: null })).toEqual([{ column: '', base: { id: 1 }, ours: null, theirs: { id: 1 } }])
})

test('keys keep every digit', () => {
  const text = '{"id":9007199254740993,"x":1.5,"y":[12]}'
  const hasSource = parse<{ id: unknown }>(text).id === 9007199254740993n
  expect(parse<{ x: number }>(text).x).toBe(1.5)
  if (hasSource) expect(stringify(parse(text))).toBe(text)
})
