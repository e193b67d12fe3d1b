import { expect, test } from 'vitest'

import type { Schema } from '../lib/types'
import type { Column, Records } from '../values/arrow'
import type { Value } from '../values/value'
import { changesIn, ordered, pair, table } from './side'

const schema = (...columns: [id: number, name: string, derivation?: string][]): Schema => ({
  ref: 'head', commit: 1, key: ['id'],
  columns: columns.map(([id, name, derivation]) => ({ id, name, type: 'VARCHAR', key: id === 1, derivation })),
})

test('columns are paired by id, then by name; what went comes last', () => {
  const from = schema([1, 'id'], [2, 'old name'], [3, 'gone'], [7, 'added on both'])
  const to = schema([1, 'id'], [2, 'new name'], [9, 'added on both'], [8, 'new'], [4, 'derived', 'a + b'])
  expect(pair(from, to).map((p) => [p.from, p.to])).toEqual([
    ['id', 'id'], ['old name', 'new name'], ['added on both', 'added on both'], [undefined, 'new'], ['gone', undefined],
  ])
})

test('the key comes first, then what changed', () => {
  const pairs = pair(schema([2, 'a'], [1, 'id'], [3, 'b']), schema([2, 'a'], [1, 'id'], [3, 'b']))
  expect(ordered(pairs, { b: 4 }).map((p) => p.name)).toEqual(['id', 'b', 'a'])
  expect(changesIn(pairs[2]!, { b: 4 })).toBe(4)
})

const column = (name: string, values: Value[]): Column => ({
  name, type: 'VARCHAR', kind: 'text', at: (row) => values[row]!, number: () => null,
})

test('a cell has both sides, and differs where the values do, to the last digit', () => {
  const records: Records = {
    rows: 3, isCut: false, bytes: 0,
    columns: [
      column('_change', ['modified', 'added', 'removed']), column('id', [1, 2, 3]),
      column('before', [{ id: 1, n: 9007199254740992n, s: 'x' }, null, { id: 3, n: 1n, s: null }]),
      column('after', [{ id: 1, n: 9007199254740993n, s: 'x' }, { id: 2, n: 5n, s: '' }, null]),
    ],
  }
  const both = schema([1, 'id'], [2, 'n'], [3, 's'])
  const [id, n, s] = table(records, pair(both, both))
  expect(n!.cell(0)).toEqual({
    change: 'modified', before: 9007199254740992n, after: 9007199254740993n, differs: true,
  })
  expect([id!.cell(0).differs, s!.cell(0).differs, n!.cell(1).differs]).toEqual([false, false, false])
  expect([n!.at(0), n!.at(1), n!.at(2), s!.at(2)]).toEqual(['9007199254740992  →  9007199254740993   ', 5n, 1n, null])
})
