// The rows or columns of a large table that are near what is seen.
import {
  elementScroll,
  observeElementOffset,
  observeElementRect,
  type VirtualItem,
  Virtualizer,
} from '@tanstack/virtual-core'
import { untrack } from 'svelte'

type Options = {
  count: number
  size: (index: number) => number // in pixels
  element: HTMLElement | undefined // which scrolls
  horizontal?: boolean
  start?: number // pixels before the first, such as a heading's
  overscan?: number
}

export type Virtual = {
  readonly items: VirtualItem[]
  readonly before: number // pixels of what is left out before the items
  readonly after: number // and after them
  scrollTo: (index: number) => void
}

// virtual returns what is near the part of an element that is seen. It follows scrolling, and whatever the options read.
export function virtual(read: () => Options): Virtual {
  let version = $state(0)
  const all = () => {
    const { count, size, element, horizontal = false, start = 0, overscan = 6 } = read()
    return {
      count,
      horizontal,
      overscan,
      paddingStart: start,
      scrollPaddingStart: start,
      estimateSize: size,
      getScrollElement: () => element ?? null,
      observeElementRect,
      observeElementOffset,
      scrollToFn: elementScroll,
      onChange: () => untrack(() => void version++),
    }
  }
  const inner = new Virtualizer<HTMLElement, HTMLElement>({ ...all(), count: 0 })

  $effect(() => {
    const options = all()
    untrack(() => {
      inner.setOptions(options)
      inner.measure()
      inner._willUpdate()
    })
  })
  $effect(() => untrack(() => inner._didMount()))

  const items = $derived.by(() => {
    void version
    const { count } = read()
    return inner.getVirtualItems().filter((item) => item.index < count)
  })
  return {
    get items() {
      return items
    },
    get before() {
      return items.length ? items[0]!.start - (read().start ?? 0) : 0
    },
    get after() {
      return items.length ? inner.getTotalSize() - items.at(-1)!.end : 0
    },
    scrollTo: (index) => inner.scrollToIndex(index, { align: 'start' }),
  }
}
