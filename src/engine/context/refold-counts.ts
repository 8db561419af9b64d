/** Counts the states of one entity that were folded again because its evolve rules changed. */
export interface RefoldReport {
  /** `<service>/<entity>`. */
  readonly entity: string
  readonly states: number
  /** How many kept the same state. If all did, probably only the source text has changed. */
  readonly unchanged: number
}

export interface RefoldCounts {
  add(entity: string, isUnchanged: boolean): void
  all(): readonly RefoldReport[]
}

export function createRefoldCounts(): RefoldCounts {
  const counts = new Map<string, RefoldReport>()
  return {
    add(entity, isUnchanged) {
      const { states, unchanged } = counts.get(entity) ?? { states: 0, unchanged: 0 }
      counts.set(entity, {
        entity,
        states: states + 1,
        unchanged: unchanged + (isUnchanged ? 1 : 0),
      })
    },
    all: () => [...counts.values()],
  }
}
