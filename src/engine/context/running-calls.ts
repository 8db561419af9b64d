/** Handler calls in this thread that have not ended. */
export interface RunningCalls {
  /** Counts a call until the returned function is called. */
  begin(consumer: string): () => void
  /** Running calls by consumer. */
  counts(): ReadonlyMap<string, number>
  /** Resolves once no call is running. */
  allEnded(): Promise<void>
}

export function createRunningCalls(): RunningCalls {
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
    counts: () => new Map(counts),
    allEnded: () =>
      new Promise((resolve) => {
        if (counts.size === 0) resolve()
        else waiting.push(resolve)
      }),
  }
}
