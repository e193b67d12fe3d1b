import { expect, test } from 'vitest'
import { tableFromArrays, tableToIPC } from '@uwdata/flechette'
import { decimal, readRecords } from './arrow'
import { parts } from './text'
import { kindOf, lengthOf, pretty, textOf } from './value'

/** The text as it is seen. */
const visible = (text: string) =>
  parts(text)
    .map((part) => part.text)
    .join('')

test('hidden characters become visible, in their place', () => {
  expect(visible('a\u202eb\nc\u0000')).toBe('a⟨U+202E⟩b↵c␀')
  expect(parts('x\u202e')).toEqual([{ text: 'x' }, { text: '⟨U+202E⟩', special: 'right-to-left override, U+202E' }])
  expect(visible('\ud800.')).toBe('⟨U+D800⟩.')
})

test('markup and scripts stay text; emoji and letters that need joiners stay whole', () => {
  for (const text of ['<img src=x onerror=alert(1)>', '👩‍👩‍👧', 'میخواهم', 'שלום']) {
    expect(visible(text)).toBe(text)
  }
  expect(visible('a\u200db')).toBe('a⟨U+200D⟩b')
})

test('null, empty and nested values are told apart', () => {
  expect([null, undefined, '', 'null', 0n, {}, new Uint8Array()].map(kindOf)).toEqual([
    'null',
    'null',
    'empty',
    'text',
    'number',
    'nested',
    'bytes',
  ])
  expect(textOf({ a: [1n, null, 'x'], b: new Uint8Array([255]) })).toBe('{"a": [1, null, "x"], "b": "0xff"}')
  expect(JSON.parse(pretty({ a: 2n ** 63n }))).toEqual({ a: '9223372036854775808' })
})

test('no more of a large nested value is made than is shown', () => {
  const large = { list: Array.from({ length: 1_000_000 }, (_, i) => i) }
  expect(textOf(large, 100).length).toBeLessThan(120)
  expect(lengthOf(large, 100)).toBeGreaterThan(100)
})

test('numbers keep every digit', () => {
  expect(decimal(-5n, 2)).toBe('-0.05')
  expect(decimal(123456789012345678901234567890n, 10)).toBe('12345678901234567890.1234567890')
  expect(decimal(42n, 0)).toBe('42')
})

test('an answer that is too large is read up to its last whole batch', async () => {
  const table = tableFromArrays({ id: Array.from({ length: 1000 }, (_, i) => i) }, { maxBatchRows: 100 })
  const stream = tableToIPC(table, { format: 'stream' }) as Uint8Array<ArrayBuffer>
  const all = await readRecords(new Response(stream), 1e9)
  expect([all.rows, all.isCut, all.columns[0]?.at(999)]).toEqual([1000, false, 999])
  const half = stream.slice(0, stream.length / 2)
  const chunks = new ReadableStream({
    start(to) {
      to.enqueue(half)
      to.enqueue(stream.slice(half.length))
      to.close()
    },
  })
  const some = await readRecords(new Response(chunks), half.length - 1)
  expect(some.isCut).toBe(true)
  expect(some.rows % 100).toBe(0)
  expect(some.rows).toBeGreaterThan(300)
  expect(some.rows).toBeLessThan(600)
})
