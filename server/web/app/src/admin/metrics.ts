// Figures of the server, from /metrics: the text format of Prometheus.

/** Returns the figures without labels by name. */
export function figures(text: string): Map<string, number> {
  const out = new Map<string, number>()
  for (const line of text.split('\n')) {
    const match = /^([a-z_]+) (\S+)/i.exec(line)
    if (match) out.set(match[1]!, Number(match[2]))
  }
  return out
}
