import { expect, test } from 'vitest'

import { Streams } from './streams'

// A server with the ids of each dataset's commits, in pages of two.
function server(ids: Record<string, number[]>) {
  const asked: string[] = []
  const read = async (dataset: string, cursor: string | null) => {
    asked.push(dataset)
    const rest = ids[dataset]!.filter((id) => cursor === null || id < Number(cursor))
    const page = rest.slice(0, 2)
    return { commits: page.map((id) => ({ id })), next: rest.length > 2 ? String(page[1]) : null }
  }
  return { read, asked }
}

test('commits of all datasets come in the order of their ids, each once', async () => {
  const { read } = server({ m: [9, 6, 5, 2, 1], f: [8, 7, 5, 2, 1] })
  const streams = new Streams([{ id: 'm', base: 0, head: 9 }, { id: 'f', base: 5, head: 8 }], read)
  const first = await streams.take(3)
  const rest = await streams.take(100)
  expect([...first, ...rest].map((c) => c.dataset + c.commit.id)).toEqual(['m9', 'f8', 'f7', 'm6', 'm5', 'm2', 'm1'])
  expect(streams.isDone).toBe(true)
})

test('a dataset is asked only once its commits are needed', async () => {
  const { read, asked } = server({ m: [9, 8, 7, 6, 2, 1], f: [3, 1] })
  const streams = new Streams([{ id: 'm', base: 0, head: 9 }, { id: 'f', base: 1, head: 3 }], read)
  await streams.take(3)
  expect(asked).not.toContain('f')
  expect((await streams.take(9)).map((c) => c.commit.id)).toEqual([6, 3, 2, 1])
})

test('a dataset without commits is done', async () => {
  const { read } = server({ m: [] })
  const streams = new Streams([{ id: 'm', base: 0, head: 5 }], read)
  expect(await streams.take(5)).toEqual([])
  expect(streams.isDone).toBe(true)
})
