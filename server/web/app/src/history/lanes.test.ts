import { expect, test } from 'vitest'

import { type GraphRow, Lanes, type Node } from './lanes'

// A row as text, a letter a lane: * the commit, | a line that passes, / and \ a curve's other end above and below.
function drawn(row: GraphRow): string {
  const cells = Array.from({ length: row.width }, () => ' ')
  for (const t of row.through) cells[t.lane] = '|'
  for (const c of row.curves) cells[c.half === 'upper' ? c.from : c.to] = c.half === 'upper' ? '/' : '\\'
  cells[row.lane] = '*'
  return cells.join('').trimEnd()
}

function drawAll(lanes: Lanes, nodes: Node[]): string[] {
  return nodes.map((node, i) => drawn(lanes.next(node, i === nodes.length - 1)))
}

const main = (id: number, source?: string): Node => ({ id, dataset: 'm', source })
const fork = (id: number, dataset = 'f', source?: string): Node => ({ id, dataset, source })

test('a history without forks is one lane', () => {
  const lanes = new Lanes('m', [])
  const rows = [3, 2, 1].map((id) => lanes.next(main(id), id === 1))
  expect(rows.map(drawn)).toEqual(['*', '*', '*'])
  expect(rows.map((r) => [r.isTop, r.isBottom])).toEqual([[false, true], [true, true], [true, false]])
})

test('a fork leaves its upstream at the commit that both have last', () => {
  const lanes = new Lanes('m', [{ id: 'f', name: 'f', base: 2, head: 5 }])
  expect(drawAll(lanes, [fork(5), main(4), fork(3), main(2), main(1)])).toEqual([' *', '*|', '|*', '*/', '*'])
})

test('a merge leads to the lane of its source, which goes on to where it began', () => {
  const lanes = new Lanes('m', [{ id: 'f', name: 'f', base: 1, head: 3 }])
  const nodes = [main(5, 'f'), main(4), fork(3), fork(2), main(1)]
  expect(drawAll(lanes, nodes)).toEqual(['*\\', '*|', '|*', '|*', '*/'])
})

test('a merge into a fork leads to lane 0', () => {
  const lanes = new Lanes('m', [{ id: 'f', name: 'f', base: 1, head: 4 }])
  expect(drawAll(lanes, [fork(4, 'f', 'm'), main(3), fork(2), main(1)])).toEqual(['\\*', '*|', '|*', '*/'])
})

test('a lane that has ended is given to the next fork', () => {
  const lanes = new Lanes('m', [
    { id: 'f', name: 'f', base: 5, head: 7 }, { id: 'g', name: 'g', base: 1, head: 3 },
  ])
  const rows = drawAll(lanes, [fork(7), main(6), main(5), main(4), fork(3, 'g'), main(2), main(1)])
  expect(rows).toEqual([' *', '*|', '*/', '*', '|*', '*|', '*/'])
})

test('forks of the same commit end together', () => {
  const lanes = new Lanes('m', [
    { id: 'f', name: 'f', base: 1, head: 3 }, { id: 'g', name: 'g', base: 1, head: 4 },
  ])
  expect(drawAll(lanes, [fork(4, 'g'), fork(3, 'f'), main(1)])).toEqual([' *', ' |*', '*//'])
})

test('a fork of a fork leaves the lane of that fork', () => {
  const lanes = new Lanes('m', [
    { id: 'g', name: 'g', base: 4, head: 6, parent: 'f' }, { id: 'f', name: 'f', base: 2, head: 5, parent: 'm' },
  ])
  const rows = drawAll(lanes, [fork(6, 'g'), fork(5), fork(4), main(3), main(2), main(1)])
  expect(rows).toEqual([' *', ' |*', ' /*', '* |', '* /', '*'])
})

test('a merge between two forks leads from lane to lane', () => {
  const lanes = new Lanes('m', [
    { id: 'g', name: 'g', base: 1, head: 5, parent: 'm' }, { id: 'f', name: 'f', base: 1, head: 4, parent: 'm' },
  ])
  expect(drawAll(lanes, [fork(5, 'g', 'f'), fork(4), main(1)])).toEqual([' *\\', ' |*', '*//'])
})

test('a filter may leave out all of the lane between', () => {
  const lanes = new Lanes('m', [
    { id: 'g', name: 'g', base: 4, head: 6, parent: 'f' }, { id: 'f', name: 'f', base: 2, head: 5, parent: 'm' },
  ])
  expect(drawAll(lanes, [fork(6, 'g'), main(2), main(1)])).toEqual([' *', '*/', '*'])
})

test('a filter may leave out the the commit at which a fork began', () => {
  const lanes = new Lanes('m', [{ id: 'f', name: 'f', base: 4, head: 6 }])
  expect(drawAll(lanes, [fork(6), main(2), main(1)])).toEqual([' *', '*/', '*'])
})

test('no lane is lost and none is drawn twice, in long histories with many forks', () => {
  const branches = Array.from({ length: 30 }, (_, i) => ({ id: `f${i}`, name: '', base: 10 * i + 1, head: 10 * i + 9 }))
  const lanes = new Lanes('m', branches)
  for (let id = 310; id > 0; id--) {
    const of = branches.find((b) => id > b.base + 5 && id <= b.head)
    const row = lanes.next(of ? fork(id, of.id) : main(id), id === 1)
    const at = [row.lane, ...row.through.map((t) => t.lane)]
    expect(new Set(at).size).toBe(at.length)
    expect(row.width).toBeLessThanOrEqual(2)
  }
})
