import { expect, test } from 'vitest'

import { csvRows, named, sample, suggested } from './file'

test('a file name says its format, packing and name', () => {
  expect(named('sales 2025.CSV.gz')).toEqual({ format: 'csv', packed: 'gzip', name: 'sales 2025' })
  expect(named('a.b.parquet')).toEqual({ format: 'parquet', packed: '', name: 'a.b' })
  expect(named('notes.pdf')).toEqual({ format: undefined, packed: '', name: 'notes.pdf' })
})

test('the first rows of a CSV are read, but none that is cut off', () => {
  const text = 'a;b\n1;"x;""y""\nz"\n2;cut o'
  expect(csvRows(text, false)).toEqual([['a', 'b'], ['1', 'x;"y"\nz']])
  expect(csvRows(text, true)[2]).toEqual(['2', 'cut o'])
})

test('samples come from text formats, and nothing from what can not be read', () => {
  expect(sample('ndjson', '{"a":1}\n{"a":{"b":2}}\n{"a"', false).values.get('a')).toEqual(['1', '{"b":2}'])
  expect(sample('json', '[{"a":"x"}]', true).values.get('a')).toEqual(['x'])
  expect(sample('json', 'PK', true).values.size).toBe(0)
})

test('columns with telling names are suggested', () => {
  const columns = [
    { name: 'ID', type: 'BIGINT' }, { name: 'score', type: 'VARCHAR' }, { name: 'quality', type: 'DOUBLE' },
    { name: 'kind', type: 'VARCHAR' },
  ]
  expect(suggested(columns)).toEqual({ key: 'ID', quality: 'quality', category: 'kind' })
})
