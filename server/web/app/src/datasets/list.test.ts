import { expect, test } from 'vitest'

import { orderOf } from './list'

test('an address asks for an order that there is', () => {
  expect(orderOf('-bytes')).toBe('-bytes')
  expect(orderOf('changed')).toBe('changed')
  expect(orderOf('size')).toBe('name')
  expect(orderOf(null)).toBe('name')
})
