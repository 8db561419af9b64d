import type { Bell } from '../../base/bell.ts'
import { admit, answersOf } from '../../ports/admit.ts'
import type { Answer, EventLog, Health, LogEvent, Place } from '../../ports/log.ts'
import { isEmpty, readInTurns } from '../../ports/turns.ts'
import type { Commits, Decision } from './commits.ts'
import { isFull } from './results.ts'
import type { Use } from './connection.ts'
import type { Topics } from './topics.ts'

/** Records that one transaction forgets, so that no commit waits long behind a trim. */
const TRIMMED_PER_COMMIT = 5_000

export function embeddedLog(use: Use, news: Bell): EventLog {
  return {
    can: { ack: 'disk', atomicBatch: true, places: true, positions: true, findById: true },
    open: use.open,
    close: use.close,
    async declare(specs) {
      const { topics, commits } = use.connection()
      return mustCommit(commits, () => specs.map((spec) => topics.declare(spec)))
    },
    async append(events, { isAtomic = false } = {}) {
      const { topics, commits } = use.connection()
      return commits.submit<readonly Answer[]>({
        decide: () => decide(events, topics, isAtomic),
        failed: (cause) => events.map(() => notStored(cause)),
      })
    },
    async read(from, max, { ms, signal }) {
      const look = () => readInTurns(from, max, use.connection().topics.slice)
      const found = look()
      if (ms <= 0 || !isEmpty(found)) return found
      await news.wait(ms, signal)
      return use.isOpen() ? look() : found
    },
    ends: async (names) => names.flatMap(use.connection().topics.ends),
    async trim(topic, partition, before) {
      // Asked for at each step, since the directory may be closed between two of them.
      const step = (): Promise<boolean> => {
        const { topics, commits } = use.connection()
        return mustCommit(commits, () => topics.trim(topic, partition, before, TRIMMED_PER_COMMIT))
      }
      while (await step());
    },
    find: async (topic, id) => use.connection().topics.find(topic, id),
    health: async () => healthOf(use),
  }
}

function decide(
  events: readonly LogEvent[],
  topics: Topics,
  isAtomic: boolean,
): Decision<readonly Answer[]> {
  const verdicts = admit(events, topics, isAtomic)
  const fresh = [...events.entries()].filter(([at]) => verdicts[at]?.is === 'new')
  const places = new Map<number, Place>()
  const answer = (): readonly Answer[] => answersOf(verdicts, places)
  if (fresh.length === 0) return { answer }
  return {
    answer,
    write() {
      const puts = topics.put(fresh.map(([, event]) => event))
      for (const [index, { place }] of puts.entries())
        places.set((fresh[index] as [number, LogEvent])[0], place)
    },
  }
}

/** A full disk is found before the commit, so that nothing was stored; after it, nobody knows. */
function notStored(cause: unknown): Answer {
  if (!isFull(cause)) return { is: 'unknown', cause }
  return { is: 'refused', code: 'LOG_FULL', detail: 'the disk of the data directory is full' }
}

/** Commits a change that has no refusals; what went wrong is thrown. */
export async function mustCommit<T>(commits: Commits, change: () => T): Promise<T> {
  let result: T | undefined
  const failure = await commits.submit<{ cause: unknown } | undefined>({
    decide: () => ({
      answer: () => undefined,
      write() {
        result = change()
      },
    }),
    failed: (cause) => ({ cause }),
  })
  if (failure) throw failure.cause
  return result as T
}

export function healthOf(use: Use): Health {
  const trouble = troubleOf(use)
  if (trouble === undefined) return { is: 'well', ack: 'disk', detail: 'synced before each ack' }
  return { is: 'failing', ack: 'disk', detail: trouble }
}

function troubleOf({ isOpen, connection }: Use): string | undefined {
  if (!isOpen()) return 'the data directory is closed'
  try {
    return connection().commits.trouble()
  } catch (cause) {
    return cause instanceof Error ? cause.message : 'the data directory cannot be read'
  }
}
