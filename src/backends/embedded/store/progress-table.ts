import type { SQLInputValue } from 'node:sqlite'
import { advanceProgress } from '../../../ports/progress.ts'
import type { Advance, Progress } from '../../../ports/event-store.ts'
import { damagedTableFault, rowChecksum } from '../sql/index.ts'
import type { Statements } from '../sql/index.ts'

/** The progress of all consumers, in the database and, to check every unit, in memory. */
export interface ProgressTable {
  load(): void
  /** The advances that do not begin at the current progress. */
  misplaced(advances: readonly Advance[]): readonly string[]
  write(advances: readonly Advance[]): void
  of(consumers: readonly string[]): readonly Progress[]
  count(): number
}

const COLUMNS = `consumer, topic, part, next, accepted, completed, pending, dead, discarded,
  expired, sum`
const WIDTH = 11
const UPSERT_TAIL = `ON CONFLICT (consumer, topic, part) DO UPDATE SET next = excluded.next,
  accepted = excluded.accepted, completed = excluded.completed, pending = excluded.pending,
  dead = excluded.dead, discarded = excluded.discarded, expired = excluded.expired, sum = excluded.sum`

export function createProgressTable(sql: Statements): ProgressTable {
  const rows = new Map<string, Progress>()
  return {
    load() {
      rows.clear()
      for (const row of sql.all(`SELECT ${COLUMNS} FROM progress`)) {
        const progress = progressOf(row)
        if (rowChecksum(valuesOf(progress)) !== row[WIDTH - 1])
          throw damagedTableFault('progress', placeKey(progress))
        rows.set(placeKey(progress), progress)
      }
    },
    misplaced: (advances) =>
      advances
        .filter(({ from }) => from !== null)
        .filter((advance) => (rows.get(placeKey(advance))?.next ?? 0) !== advance.from)
        .map(placeKey),
    write(advances) {
      const values: SQLInputValue[] = []
      for (const advance of advances) {
        const place = placeKey(advance)
        const after = advanceProgress(rows.get(place), advance)
        rows.set(place, after)
        const row = valuesOf(after)
        values.push(...row, rowChecksum(row))
      }
      sql.insert(`INSERT INTO progress (${COLUMNS})`, UPSERT_TAIL, WIDTH, values)
    },
    count: () => rows.size,
    of(consumers) {
      const wanted = new Set(consumers)
      return [...rows.values()].filter(({ consumer }) => wanted.has(consumer))
    },
  }
}

function progressOf(row: readonly unknown[]): Progress {
  const [consumer, topic] = row as [string, string]
  const [partition, next, accepted, completed] = row.slice(2) as number[]
  const [pending, dead, discarded, expired] = row.slice(6) as number[]
  const numbers = { partition, next, accepted, completed, pending, dead, discarded, expired }
  return { consumer, topic, ...(numbers as Omit<Progress, 'consumer' | 'topic'>) }
}

/** The values of a row without its checksum, in the order of the columns. */
function valuesOf(progress: Progress): (string | number)[] {
  const { consumer, topic, partition, next, accepted, completed } = progress
  const { pending, dead, discarded, expired } = progress
  return [consumer, topic, partition, next, accepted, completed, pending, dead, discarded, expired]
}

function placeKey({
  consumer,
  topic,
  partition,
}: Pick<Progress, 'consumer' | 'topic' | 'partition'>): string {
  return `${consumer}/${topic}/${partition}`
}
