import { describe, expect, it } from 'vitest'

import { change, read, written } from './metadata'

describe('metadata', () => {
  it('is changed by what differs', () => {
    expect(change({ a: 1, b: { c: 1 }, d: 2 }, { a: 1, b: { c: 2 }, e: 'new' })).toEqual({ b: { c: 2 }, d: null, e: 'new' })
    expect(change({ a: [1] }, { a: [1] })).toEqual({})
  })
  it('is an object', () => {
    expect(read('  ')).toEqual({})
    expect(read('{"a": 1}')).toEqual({ a: 1 })
    expect(() => read('[1]')).toThrow('not an object')
    expect(() => read('{')).toThrow()
  })
  it('is written so that it is read back', () => {
    const m = { a: 1, b: { c: [null, 'x'] } }
    expect(read(written(m))).toEqual(m)
    expect(written({})).toBe('')
  })
})
