import { expect, test } from 'vitest'

import { match } from './match'

test('a path matches a pattern segment by segment', () => {
  expect(match('/datasets/:dataset/history', '/datasets/a%20b/history/')).toEqual({ dataset: 'a b' })
  expect(match('/datasets/:dataset', '/datasets/a/history')).toBeUndefined()
  expect(match('/', '/')).toEqual({})
  expect(match('/datasets/:dataset', '/datasets/%zz')).toBeUndefined()
})
