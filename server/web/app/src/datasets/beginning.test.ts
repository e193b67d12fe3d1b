import { expect, test } from 'vitest'

import { beginning, endOf } from './beginning'
import { withoutRows } from './parquet'
import three from './three.parquet?inline'

const bytes = (text: string) => new TextEncoder().encode(text) as Uint8Array<ArrayBuffer>
const text = (parts: Uint8Array<ArrayBuffer>[] | undefined) => parts && new TextDecoder().decode(parts.reduce(
  (all, part) => new Uint8Array([...all, ...part]), new Uint8Array()))

test('a file that is cut has whole records', () => {
  expect(text(endOf('csv', bytes('a,b\n1,"x\ny"\n2,"cut\nhere')))).toBe('a,b\n1,"x\ny"\n')
  expect(text(endOf('ndjson', bytes('{"a":1}\n{"a":2')))).toBe('{"a":1}\n')
  expect(text(endOf('json', bytes('[{"a":"],\\""},{"a":[1,2]},{"a"')))).toBe('[{"a":"],\\""},{"a":[1,2]}]')
  expect(endOf('csv', bytes('one line without an end'))).toBeUndefined()
  expect(endOf('xlsx', bytes('PK'))).toBeUndefined()
})

test('a small file is sent whole, and of a large one the beginning', async () => {
  const file = new Blob(['a\n' + '1\n'.repeat(100)])
  expect((await beginning(file, 'csv', '')).isWhole).toBe(true)
  const cut = await beginning(file, 'csv', '', 11)
  expect([await cut.file.text(), cut.isWhole]).toEqual(['a\n1\n1\n1\n1\n', false])
})

test('a packed file is unpacked as far as is needed', async () => {
  const packed = await new Response(
    new Blob(['a\n' + Array.from({ length: 9000 }, (_, i) => `${i}\n`).join('')]).stream()
      .pipeThrough(new CompressionStream('gzip')),
  ).blob()
  const cut = await beginning(packed, 'csv', 'gzip', 11)
  expect([await cut.file.text(), cut.packed]).toEqual(['a\n0\n1\n2\n3\n', ''])
  expect((await beginning(packed, 'csv', 'zstd', 11)).isWhole).toBe(true)
  expect((await beginning(new Blob(['not packed at all']), 'csv', 'gzip', 11)).isWhole).toBe(true)
})

test('a Parquet file is described without its rows', async () => {
  const file = await (await fetch(three)).blob()
  const found = await withoutRows(file)
  expect(found?.rows).toBe(3)
  expect(found!.file.size).toBeLessThan(file.size)
  // What is made can be read by the same rules, and has none.
  expect((await withoutRows(found!.file))?.rows).toBe(0)
  expect(await withoutRows(new Blob(['PAR1 is not at the end']))).toBeUndefined()
})

test('an Arrow file is described by its schema', () => {
  const message = new Uint8Array([255, 255, 255, 255, 8, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8])
  const file = new Uint8Array([...bytes('ARROW1\0\0'), ...message, ...message])
  const end = [255, 255, 255, 255, 0, 0, 0, 0]
  expect(endOf('arrow', file)!.flatMap((p) => [...p])).toEqual([...message, ...end])
  expect(endOf('arrow', message)!.flatMap((p) => [...p])).toEqual([...message, ...end])
  expect(endOf('arrow', bytes('nothing of the kind'))).toBeUndefined()
})
