import type { Advance, Progress } from '../../ports/store.ts'
import type { Statements } from './statements.ts'

/** How far each consumer has come: in memory for the check of every unit, and in the database. */
export interface ProgressRows {
  load(): void
  /** Those advances that do not begin where the consumer stands. */
  misplaced(advances: readonly Advance[]): readonly string[]
  write(advances: readonly Advance[]): void
  of(consumers: readonly string[]): readonly Progress[]
}

const UPSERT_TAIL = `ON CONFLICT (consumer, topic, part) DO UPDATE SET next = excluded.next,
  accepted = excluded.accepted, completed = excluded.completed, pending = excluded.pending`

export function progressIn(sql: Statements): ProgressRows {
  const rows = new Map<string, Progress>()
  return {
    load() {
      rows.clear()
      for (const row of sql.all(
        'SELECT consumer, topic, part, next, accepted, completed, pending FROM progress',
      )) {
        const [consumer, topic] = row as [string, string]
        const [partition, next, accepted, completed, pending] = row.slice(2) as number[]
        const numbers = { partition, next, accepted, completed, pending } as Progress
        const progress = { ...numbers, consumer, topic }
        rows.set(placeKey(progress), progress)
      }
    },
    misplaced: (advances) =>
      advances
        .filter((advance) => (rows.get(placeKey(advance))?.next ?? 0) !== advance.from)
        .map(placeKey),
    write(advances) {
      const written = advances.map((advance) => {
        const { consumer, topic, partition, next } = advance
        const before = rows.get(placeKey(advance))
        const accepted = (before?.accepted ?? 0) + advance.accepted
        const completed = (before?.completed ?? 0) + advance.completed
        const pending = (before?.pending ?? 0) + advance.pending
        const after = { consumer, topic, partition, next, accepted, completed, pending }
        rows.set(placeKey(advance), after)
        return [consumer, topic, partition, next, accepted, completed, pending]
      })
      sql.insert(
        'INSERT INTO progress (consumer, topic, part, next, accepted, completed, pending)',
        UPSERT_TAIL,
        written,
      )
    },
    of(consumers) {
      const wanted = new Set(consumers)
      return [...rows.values()].filter(({ consumer }) => wanted.has(consumer))
    },
  }
}

function placeKey({ consumer, topic, partition }: Omit<Progress, 'next'>): string {
  return `${consumer}/${topic}/${partition}`
}
