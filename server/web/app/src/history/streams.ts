// The commits of several datasets as one list, newest first: ids are given by one sequence for all datasets. A dataset
// whose head is older than what is shown is not asked yet.

export type Page<T> = { commits: T[]; next: string | null }

/** Reads a page of a dataset's commits. */
export type ReadPage<T> = (dataset: string, cursor: string | null) => Promise<Page<T>>

export type Source = { id: string; base: number; head: number } // base 0: all of its commits

type Stream<T> = Source & { buffer: T[]; cursor: string | null; asked: boolean }

export class Streams<T extends { id: number }> {
  private streams: Stream<T>[]

  constructor(
    sources: Source[],
    private read: ReadPage<T>,
  ) {
    this.streams = sources.map((s) => ({ ...s, buffer: [], cursor: null, asked: false }))
  }

  get isDone(): boolean {
    return this.streams.every(isSpent)
  }

  /** Returns at most the given number of further commits, with the dataset that each comes from. */
  async take(most: number): Promise<{ commit: T; dataset: string }[]> {
    const out: { commit: T; dataset: string }[] = []
    while (out.length < most) {
      const newest = this.newest()
      if (!newest) break
      const first = newest.buffer.shift()
      if (first) out.push({ commit: first, dataset: newest.id })
      else await this.fill(newest)
    }
    return out
  }

  /** Returns the stream whose next commit is the newest, as far as is known: of one that was not asked, its head. */
  private newest(): Stream<T> | undefined {
    let best: Stream<T> | undefined
    for (const s of this.streams) {
      if (!isSpent(s) && (!best || bound(s) > bound(best))) best = s
    }
    return best
  }

  private async fill(stream: Stream<T>) {
    const page = await this.read(stream.id, stream.cursor)
    const own = page.commits.filter((c) => c.id > stream.base)
    stream.asked = true
    stream.buffer.push(...own)
    stream.cursor = own.length < page.commits.length ? null : page.next
    if (own.length) stream.head = own.at(-1)!.id - 1
  }
}

function isSpent<T>(s: Stream<T>): boolean {
  return s.buffer.length === 0 && (s.asked ? s.cursor === null : s.head <= s.base)
}

function bound<T extends { id: number }>(s: Stream<T>): number {
  return s.buffer[0]?.id ?? s.head
}
