// Short messages about what was done, announced to screen readers. One may offer a way back.

export type Toast = {
  id: number
  text: string
  kind: 'done' | 'failed'
  action?: { label: string; run: () => void } | { label: string; href: string }
}

let last = 0
let items = $state<Toast[]>([])

export const toasts = {
  get items() {
    return items
  },
}

// tell shows a message. One with an action, or about a failure, stays until it is closed.
export function tell(text: string, options: Partial<Pick<Toast, 'kind' | 'action'>> = {}) {
  const toast: Toast = { id: ++last, text, kind: 'done', ...options }
  items = [...items.slice(-3), toast]
  if (!toast.action && toast.kind === 'done') setTimeout(() => dismiss(toast.id), 8000)
}

export function dismiss(id: number) {
  items = items.filter((t) => t.id !== id)
}
