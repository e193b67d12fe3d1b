import { describe, expect, it } from 'vitest'

import { inTurn, type Measure, ofCategories, ofCommits, ofVersions, sample, stacked } from './points'

describe('the points of a trend', () => {
  const version = { version: '1.0.0', commit_id: 5, total_entries: 9, description: 'first', created_at: '2026-01-01T00:00:00Z' }

  it('are the versions that can be read', () => {
    const list = [
      { ...version, is_active: true }, { ...version, version: '1.0.1', is_active: false },
      { ...version, version: '1.0.2', is_active: true, vacuumed_at: '2026-01-02T00:00:00Z' },
    ]
    expect(ofVersions(list).map((p) => [p.ref, p.label, p.total])).toEqual([['5', '1.0.0', 9]])
  })

  it('are commits from the oldest on', () => {
    const commit = (id: number) => ({
      id, records_total: id, records_added: id - 1, records_removed: 0, records_modified: 0, message: '', mode: 'append',
      created_at: '2026-01-01T00:00:00Z',
    })
    expect(ofCommits([commit(3), commit(1)]).map((p) => [p.ref, p.note, p.hasRecords])).toEqual([
      ['1', 'append', false], ['3', 'append', true],
    ])
  })

  it('are sampled with both ends', () => {
    const list = Array.from({ length: 100 }, (_, i) => i)
    const some = sample(list, 7)
    expect([some[0], some.at(-1), some.length, new Set(some).size]).toEqual([0, 99, 7, 7])
    expect(sample([1, 2], 7)).toEqual([1, 2])
  })

  it('have the largest categories, and the rest together', () => {
    const measures: (Measure | undefined)[] = [{ quality: 1, categories: { a: 1, b: 5, c: 2 } }, undefined, { quality: 1, categories: { a: 9 } }]
    expect(ofCategories(measures, 2)).toEqual([
      { label: 'a', values: [1, null, 9] }, { label: '2 others', values: [7, null, 0] },
    ])
    expect(ofCategories(measures, 3).map((s) => s.label)).toEqual(['a', 'b', 'c'])
  })

  it('are read a few at a time', async () => {
    let now = 0
    let most = 0
    const done: number[] = []
    await inTurn([1, 2, 3, 4, 5], 2, new AbortController().signal, async (n) => {
      most = Math.max(most, ++now)
      await Promise.resolve()
      now--
      done.push(n)
    })
    expect([most, done.sort()]).toEqual([2, [1, 2, 3, 4, 5]])
  })
})

it('lays series on top of each other, and leaves out what was not measured', () => {
  const list = [{ label: 'a', values: [1, null, 3] }, { label: 'b', values: [10, null, 30] }]
  expect(stacked(list).map((s) => s.values)).toEqual([[1, null, 3], [11, null, 33]])
})
