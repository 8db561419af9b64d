/** Counts the states of one entity that were folded again because its evolve rules changed. */
export interface Refolds {
  /** `<service>/<entity>`. */
  readonly entity: string
  readonly states: number
  /** How many kept the same state. If all did, probably only the source text has changed. */
  readonly unchanged: number
}

export interface RefoldCounts {
  add(entity: string, isUnchanged: boolean): void
  all(): readonly Refolds[]
}

export function refoldCounts(): RefoldCounts {
  const counts = new Map<string, Refolds>()
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
