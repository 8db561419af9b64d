import type { EventLog, LogRecord, TopicState } from '../../../src/ports/event-log.ts'
import type { Defect } from './log-defects.ts'
import { altering, eachRecord, inLog, without } from './log-defects.ts'

const SETTINGS = 'Retention and compaction are stored with the topic; differences are reported'
const STORED_AT = 'A record has its storage time, which never decreases inside a partition'
const AT_A_TIME = 'The offset at a time is that of the first record stored at or after it'
const SUPERSEDED = 'Compaction removes superseded records, and nothing else'
const HOLE = 'A compacted record is a hole: readers skip it, and it is not reported as lost'
const TOMBSTONE = 'A tombstone is removed once it was stored before the given time'
const IDS = 'The ids of compacted records stay known, with their content'

/** A log whose compaction does something else. */
const compacting =
  (instead: (log: EventLog, ...given: Parameters<EventLog['compact']>) => Promise<number>) =>
  (log: EventLog): Partial<EventLog> => ({ compact: async (...given) => instead(log, ...given) })

export const retentionDefects: readonly Defect[] = [
  inLog('settings of a topic are forgotten', SETTINGS, (log) => ({
    declare: async (specs) =>
      (await log.declare(specs)).map((state): TopicState => without(state, 'retention')),
  })),
  inLog('other settings are taken over silently', SETTINGS, (log) => ({
    declare: async (specs) =>
      (await log.declare(specs)).map((state) => ({ ...state, differences: [] })),
  })),
  inLog(
    'a record is stored when it happened',
    STORED_AT,
    eachRecord((record) => ({ ...record, storedAt: record.at })),
  ),
  inLog('the offset at a time is one too far', AT_A_TIME, (log) => ({
    offsetAt: async (...given) => (await log.offsetAt(...given)) + 1,
  })),
  inLog('the offset at a time is by what happened', AT_A_TIME, (log) => ({
    offsetAt: (topic, partition, atMs) => log.offsetAt(topic, partition, atMs > 1e12 ? 0 : atMs),
  })),
  inLog(
    'compaction removes nothing',
    SUPERSEDED,
    compacting(async () => 3),
  ),
  inLog(
    'compaction takes the newest of each key, too',
    SUPERSEDED,
    compacting(async (log, topic, partition, before) => {
      await log.trim(topic, partition, before)
      return 3
    }),
  ),
  inLog(
    'compaction ignores its bound',
    'Compaction removes nothing from its bound on; records there still supersede earlier ones',
    compacting((log, topic, partition, _, beforeMs) =>
      log.compact(topic, partition, Number.MAX_SAFE_INTEGER, beforeMs),
    ),
  ),
  inLog(
    'tombstones go at once',
    TOMBSTONE,
    compacting((log, topic, partition, before) => log.compact(topic, partition, before, Infinity)),
  ),
  inLog(
    'tombstones never go',
    TOMBSTONE,
    compacting((log, topic, partition, before) => log.compact(topic, partition, before, 0)),
  ),
  inLog('what compaction removed counts as lost', HOLE, (log) => ({
    read: async (from, ...given) =>
      (await log.read(from, ...given)).map((slice, at) => {
        const wanted = from[at]?.next ?? 0
        const found = slice.records[0]?.offset ?? slice.next
        return found > wanted ? { ...slice, lost: { from: wanted, to: found } } : slice
      }),
  })),
  inLog('the ids of what compaction removed are forgotten', IDS, (log) => {
    const forgotten = new Set<string>()
    return {
      async compact(...given) {
        const before = await idsIn(log, given[1])
        const count = await log.compact(...given)
        const after = await idsIn(log, given[1])
        for (const id of before) if (!after.has(id)) forgotten.add(id)
        return count
      },
      ...altering((event) =>
        forgotten.has(event.id) ? { ...event, id: `${event.id} again` } : event,
      )(log),
    }
  }),
]

async function idsIn(log: EventLog, partition: number): Promise<ReadonlySet<string>> {
  const from = [{ topic: 'orders.events', partition, next: 0 }]
  const [slice] = await log.read(from, { records: 100, bytes: 1e6 }, { ms: 0 })
  return new Set((slice?.records ?? ([] as LogRecord[])).map(({ id }) => id))
}
