import { expect, test } from 'vitest'

import type { Dataset } from '../lib/types'
import { chosen } from './list'

const some = [
  { id: '1', name: 'file10', description: 'people', project_id: 1, records_total: 3, modified_at: '2026-01-02T00:00:00Z' },
  { id: '2', name: 'file9', description: 'Places', project_id: 2, records_total: 5, modified_at: '2026-01-01T00:00:00Z' },
] as Dataset[]
const names = (list: Dataset[]) => list.map((d) => d.name)

test('datasets are found by all words of a search', () => {
  expect(names(chosen(some, 'PLACES file', undefined, 'name'))).toEqual(['file9'])
  expect(names(chosen(some, 'places people', undefined, 'name'))).toEqual([])
  expect(names(chosen(some, '', 1, 'name'))).toEqual(['file10'])
})

test('datasets are sorted, numbers in names by their value', () => {
  expect(names(chosen(some, '', undefined, 'name'))).toEqual(['file9', 'file10'])
  expect(names(chosen(some, '', undefined, '-changed'))).toEqual(['file10', 'file9'])
  expect(names(chosen(some, '', undefined, '-rows'))).toEqual(['file9', 'file10'])
})
