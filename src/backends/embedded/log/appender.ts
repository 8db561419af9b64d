import type { Clock } from '../../../base/time/clock.ts'
import type { LogEvent, LogRecord, Place } from '../../../ports/event-log.ts'
import { bytesOf } from '../../../ports/round-robin.ts'
import type { SQLInputValue } from 'node:sqlite'
import type { PartitionHead, TopicHeads } from './partition-heads.ts'
import { dropRecent } from './partition-heads.ts'
import {
  storedId,
  INSERT_RECORD,
  RECORD_WIDTH,
  createRecord,
  isStreamEntryTaken,
  isUniqueViolation,
  nextChain,
  recordChecksum,
} from '../sql/index.ts'
import type { ConversationBlocks, Statements } from '../sql/index.ts'

/** A record that was just appended. */
export type AppendedRecord = LogRecord & { readonly position: number }

/** The place of a record, as its sender gets it. */
export function placeOf({ topic, partition, offset }: AppendedRecord): Place {
  return { topic, partition, offset }
}

/** The new end of a partition during one append. */
interface PartitionEnd {
  next: number
  chain: number
  storedAt: number
  readonly records: LogRecord[]
}

function endOf({ next, chain, storedAt }: PartitionHead, now: number): PartitionEnd {
  return { next, chain, storedAt: Math.max(now, storedAt), records: [] }
}

/** Appends events to their partitions; inside a transaction. */
export interface Appender {
  /**
   * Appends all events or, where an id is taken, none, and returns nothing. The index of ids is checked
   * by writing alone: most events are new, and looking each up would cost as much as writing it.
   * `before` runs first, gets the last position, and is rolled back together with the events.
   */
  appendIfNew(
    events: readonly LogEvent[],
    before?: (position: number) => void,
  ): readonly AppendedRecord[] | undefined
  append(events: readonly LogEvent[]): readonly AppendedRecord[]
  /** Returns about how many bytes were appended since the last call. */
  takeWrittenBytes(): number
}

/** The appender with its current position. */
export interface PositionedAppender extends Appender {
  /** The last position that was given, over all topics. */
  position(): number
  startAt(position: number): void
}

export function createAppender(
  sql: Statements,
  heads: TopicHeads,
  recent: RecentCache,
  conversations: ConversationBlocks,
  clock: Clock,
): PositionedAppender {
  let [position, bytes] = [0, 0]
  const append = (events: readonly LogEvent[]): readonly AppendedRecord[] => {
    const ends = new Map<PartitionHead, PartitionEnd>()
    const values: SQLInputValue[] = []
    const now = clock.now()
    let at = position
    let name = ''
    let head: PartitionHead | undefined
    let end: PartitionEnd | undefined
    const appended = events.map((event): AppendedRecord => {
      if (!head || head.partition !== event.partition || name !== event.topic) {
        head = heads.head(event.topic, event.partition)
        name = event.topic
        end = ends.get(head) ?? endOf(head, now)
        ends.set(head, end)
      }
      const last = end as PartitionEnd
      at += 1
      const record = createRecord(event, last.next, at, last.storedAt)
      const sum = recordChecksum(head.topic, record)
      last.chain = nextChain(last.chain, sum)
      last.next += 1
      last.records.push(record)
      pushRow(values, head.topic, record, sum, last.chain)
      return record
    })
    sql.insert(INSERT_RECORD, '', RECORD_WIDTH, values)
    position = at
    for (const each of appended) conversations.add(each.position, each.head)
    for (const [head, { next, chain, storedAt, records }] of ends) {
      Object.assign(head, { next, chain, storedAt })
      heads.markChanged(head)
      bytes += recent.keep(head, records)
    }
    return appended
  }
  return {
    append,
    appendIfNew(events, before) {
      sql.run('SAVEPOINT put')
      try {
        before?.(position)
        const appended = append(events)
        sql.run('RELEASE put')
        return appended
      } catch (cause) {
        if (!isUniqueViolation(cause) && !isStreamEntryTaken(cause)) throw cause
        sql.run('ROLLBACK TO put')
        sql.run('RELEASE put')
        return undefined
      }
    },
    position: () => position,
    startAt(start) {
      position = start
    },
    takeWrittenBytes() {
      const since = bytes
      bytes = 0
      return since
    },
  }
}

function pushRow(
  values: SQLInputValue[],
  topic: number,
  record: AppendedRecord,
  sum: number,
  chain: number,
): void {
  const { position, partition, offset, id, key, type, at, storedAt, head, data } = record
  values.push(position, topic, partition, offset, storedId(id), key, type, at, storedAt)
  values.push(sum, chain, head, data, null)
}

/**
 * A cache of the newest records of all partitions, limited in bytes: most records are read just after
 * they were written, and then need not be read, verified and decoded.
 */
export interface RecentCache {
  /** Adds appended records; returns their size. */
  keep(head: PartitionHead, records: readonly LogRecord[]): number
  /** Empties the cache, after the in-memory state was reloaded. */
  clear(): void
}

const RECENT_BYTES_MAX = 2_097_152
/** Memory of a record beside its texts. */
const RECORD_BYTES = 300

interface CachedBatch {
  readonly head: PartitionHead
  readonly count: number
  readonly bytes: number
}

export function createRecentCache(): RecentCache {
  let kept: CachedBatch[] = []
  /** How many at the front of `kept` were dropped; the array is cut from time to time. */
  let gone = 0
  let bytes = 0
  return {
    keep(head, records) {
      let added = records.length * RECORD_BYTES
      for (const record of records) added += bytesOf(record)
      for (const record of records) head.recent.records.push(record)
      kept.push({ head, count: records.length, bytes: added })
      bytes += added
      while (bytes > RECENT_BYTES_MAX) {
        const oldest = kept[gone] as CachedBatch
        dropRecent(oldest.head.recent, oldest.count)
        bytes -= oldest.bytes
        gone += 1
      }
      if (gone > 1_024) {
        kept = kept.slice(gone)
        gone = 0
      }
      return added
    },
    clear() {
      kept = []
      gone = 0
      bytes = 0
    },
  }
}
