/** Handlers that were called in this thread and have not ended. */
export interface Calls {
  /** Counts a call of a consumer until the function that it returns is called. */
  begin(consumer: string): () => void
  /** How many calls of each consumer go on. */
  underWay(): ReadonlyMap<string, number>
  /** Resolves once none goes on. */
  ended(): Promise<void>
}

export function callsOf(): Calls {
  const counts = new Map<string, number>()
  let waiting: (() => void)[] = []
  return {
    begin(consumer) {
      counts.set(consumer, (counts.get(consumer) ?? 0) + 1)
      return () => {
        const left = (counts.get(consumer) ?? 0) - 1
        if (left > 0) counts.set(consumer, left)
        else counts.delete(consumer)
        if (counts.size > 0) return
        for (const resolve of waiting) resolve()
        waiting = []
      }
    },
    underWay: () => new Map(counts),
    ended: () =>
      new Promise((resolve) => {
        if (counts.size === 0) resolve()
        else waiting.push(resolve)
      }),
  }
}
