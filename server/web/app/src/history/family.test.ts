import { expect, test } from 'vitest'

import { branchesOf, type Member } from './family'

const member = (id: string, head: number, upstream_id: string | null = null, fork_commit: number | null = null): Member =>
  ({ id, name: id, head, upstream_id, fork_commit })

const main = member('m', 20)
const short = (of: Member, members: Member[], most = 8) =>
  branchesOf(of, members, most).map((b) => `${b.id} ${b.base} ${b.parent ?? '-'}`)

test('a fork of a fork ends in the lane of that fork', () => {
  expect(short(main, [member('g', 9, 'f', 7), member('f', 8, 'm', 4), main])).toEqual(['g 7 f', 'f 4 m'])
})

test('a fork of a fork from what that inherited ends in the main lane', () => {
  expect(short(main, [member('g', 9, 'f', 3), member('f', 8, 'm', 4), main])).toEqual(['g 3 m', 'f 4 m'])
})

test('what is not drawn is passed over', () => {
  expect(short(main, [member('g', 9, 'f', 7), member('f', 8, 'm', 4), main], 1)).toEqual(['g 4 m'])
})

test('seen from a fork, its upstream and its siblings have lanes', () => {
  const fork = member('f', 30, 'm', 10)
  const sibling = member('s', 25, 'm', 15)
  const early = member('e', 25, 'm', 5)
  // The upstream goes on after the fork; a sibling that was forked later ends in it, an earlier one in the main lane.
  expect(short(fork, [fork, sibling, early, main])).toEqual(['s 15 m', 'e 5 f', 'm 10 f'])
  expect(short(fork, [fork, sibling, early, main], 1)).toEqual(['s 10 f'])
})

test('the upstream of an upstream ends where the histories part', () => {
  const fork = member('g', 30, 'f', 12)
  expect(short(fork, [fork, member('f', 25, 'm', 8), main])).toEqual(['f 12 g', 'm 8 g'])
})

test('an upstream that may not be seen ends nothing', () => {
  expect(short(main, [main, member('g', 9, null, 7)])).toEqual(['g 7 -'])
})
