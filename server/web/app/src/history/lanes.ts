// The lanes of a commit graph: the history that is looked at is lane 0, and the others of its family have lanes of their
// own. Rows come newest first, a page at a time; each is drawn from what is active above it.

/** A dataset beside the one that is looked at. */
export type Branch = {
  id: string
  name: string
  base: number // the last commit that it shares with the lane in which its own ends
  parent?: string // the dataset of that lane; none: the main one
  head: number
}

/** What the layout needs of a commit. */
export type Node = {
  id: number
  dataset: string // in whose history it is shown
  source?: string // of a merge: the dataset whose actions it played
}

/** A line between two lanes: from the upper edge of a row to its commit, or from the commit to the lower edge. */
export type Curve = { from: number; to: number; half: 'upper' | 'lower'; colour: number }

export type GraphRow = {
  lane: number // of the commit
  colour: number
  isTop: boolean // a line comes from above
  isBottom: boolean // a line goes on below
  through: { lane: number; colour: number }[] // lanes that pass by
  curves: Curve[]
  width: number // lanes that the row needs
}

type Active = { dataset: string; colour: number }

/** Lays out rows one after the other. */
export class Lanes {
  private lanes: (Active | undefined)[] = []
  private colours = new Map<string, number>()
  private branches: Map<string, Branch>

  constructor(
    private main: string,
    branches: Branch[],
  ) {
    this.branches = new Map(branches.map((b) => [b.id, b]))
    this.colours.set(main, 0)
    for (const [i, b] of branches.entries()) this.colours.set(b.id, i + 1)
  }

  /** Returns the next row. isLast: it is the oldest commit of all, so no line goes on below it. */
  next(node: Node, isLast = false): GraphRow {
    const above = this.lanes.slice()
    const before = this.laneOf(node.dataset)
    const lane = before ?? this.open(node.dataset)
    const curves = [...this.ends(node, lane), ...this.merges(node, lane)]
    if (isLast) this.lanes[lane] = undefined
    const through = above.flatMap((a, i) =>
      a && i !== lane && this.lanes[i]?.dataset === a.dataset ? [{ lane: i, colour: a.colour }] : [],
    )
    this.trim()
    const used = [lane, ...through.map((t) => t.lane), ...curves.flatMap((c) => [c.from, c.to])]
    return {
      lane, colour: this.colourOf(node.dataset), isTop: before !== undefined, isBottom: !isLast, through, curves,
      width: Math.max(...used) + 1,
    }
  }

  /** Ends the lanes of the branches that begin at a commit, or left out below it. */
  private ends(node: Node, lane: number): Curve[] {
    const curves: Curve[] = []
    for (const [i, active] of this.lanes.entries()) {
      const branch = active && this.branches.get(active.dataset)
      // Below the base too: a filter may have left out the commit itself.
      if (!branch || branch.id === node.dataset || branch.base < node.id || !this.isIn(node, branch)) continue
      curves.push({ from: i, to: lane, half: 'upper', colour: active.colour })
      this.lanes[i] = undefined
    }
    return curves
  }

  /** Reports whether a branch ends in the lane of a commit: its parent's, or one in which that has ended before. */
  private isIn(node: Node, branch: Branch): boolean {
    let at = branch.parent ?? this.main
    while (at !== node.dataset) {
      const above = this.branches.get(at)
      if (!above || above.base < node.id) return false
      at = above.parent ?? this.main
    }
    return true
  }

  /** Leads a merge to the lane of its source. */
  private merges(node: Node, lane: number): Curve[] {
    const source = node.source
    if (!source || source === node.dataset || !this.colours.has(source)) return []
    const branch = this.branches.get(source)
    if (branch && branch.base >= node.id) return [] // it has no commits of its own below
    const to = this.laneOf(source) ?? this.open(source)
    return [{ from: lane, to, half: 'lower', colour: this.colourOf(source) }]
  }

  private laneOf(dataset: string): number | undefined {
    const lane = this.lanes.findIndex((a) => a?.dataset === dataset)
    return lane < 0 ? undefined : lane
  }

  /** Gives a dataset the first free lane; lane 0 is the main history's. */
  private open(dataset: string): number {
    let lane = dataset === this.main ? 0 : 1
    while (this.lanes[lane]) lane++
    this.lanes[lane] = { dataset, colour: this.colourOf(dataset) }
    return lane
  }

  private colourOf(dataset: string): number {
    return this.colours.get(dataset) ?? 0
  }

  private trim() {
    while (this.lanes.length && !this.lanes.at(-1)) this.lanes.pop()
  }
}
