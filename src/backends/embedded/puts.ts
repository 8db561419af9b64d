import type { Clock } from '../../base/clock.ts'
import type { LogEvent, LogRecord, Place } from '../../ports/log.ts'
import { bytesOf } from '../../ports/turns.ts'
import type { SQLInputValue } from 'node:sqlite'
import type { Head, Heads } from './heads.ts'
import { dropRecent } from './heads.ts'
import { storedId } from './ids.ts'
import { INSERT, WIDTH, recordAt } from './records.ts'
import { isEntryTaken, isTaken } from './results.ts'
import type { Statements } from './statements.ts'
import { chainAfter, sumOf } from './sums.ts'

/** An event in the log, with its place. */
export type Put = LogRecord & { readonly position: number }

/** Where an event is, as its sender is told. */
export function placeOf({ topic, partition, offset }: Put): Place {
  return { topic, partition, offset }
}

/** What one put does to the end of a partition. */
interface End {
  next: number
  chain: number
  storedAt: number
  readonly records: LogRecord[]
}

function endOf({ next, chain, storedAt }: Head, now: number): End {
  return { next, chain, storedAt: Math.max(now, storedAt), records: [] }
}

/** Puts events at the ends of their partitions; inside a transaction. */
export interface Puts {
  /**
   * All of them or, where an id is taken, none and nothing. The index of ids is asked by writing
   * alone: most events are new, and looking each up first would cost as much as writing it. What is
   * written `before` them is told the position that they come behind, and goes with them.
   */
  putIfNew(
    events: readonly LogEvent[],
    before?: (position: number) => void,
  ): readonly Put[] | undefined
  put(events: readonly LogEvent[]): readonly Put[]
  /** About how many bytes were appended since this was last asked. */
  written(): number
}

/** The appender with the position at which it stands. */
export interface PositionedAppender extends Puts {
  /** The last position that was given, over all topics. */
  position(): number
  startAt(position: number): void
}

export function putsIn(
  sql: Statements,
  heads: Heads,
  recents: Recents,
  clock: Clock,
): PositionedAppender {
  let position = 0
  let bytes = 0
  const put = (events: readonly LogEvent[]): readonly Put[] => {
    const ends = new Map<Head, End>()
    const values: SQLInputValue[] = []
    const now = clock.now()
    let at = position
    let name = ''
    let head: Head | undefined
    let end: End | undefined
    const puts = events.map((event): Put => {
      if (!head || head.partition !== event.partition || name !== event.topic) {
        head = heads.head(event.topic, event.partition)
        name = event.topic
        end = ends.get(head) ?? endOf(head, now)
        ends.set(head, end)
      }
      const last = end as End
      at += 1
      const record = recordAt(event, last.next, at, last.storedAt)
      const sum = sumOf(head.topic, record)
      last.chain = chainAfter(last.chain, sum)
      last.next += 1
      last.records.push(record)
      const { partition, offset, id, key, type, storedAt, data } = record
      values.push(at, head.topic, partition, offset, storedId(id), key, type, record.at, storedAt)
      values.push(sum, last.chain, record.head, data, null)
      return record
    })
    sql.insert(INSERT, '', WIDTH, values)
    position = at
    for (const [head, { next, chain, storedAt, records }] of ends) {
      Object.assign(head, { next, chain, storedAt })
      heads.moved(head)
      bytes += recents.keep(head, records)
    }
    return puts
  }
  return {
    put,
    putIfNew(events, before) {
      sql.run('SAVEPOINT put')
      try {
        before?.(position)
        const puts = put(events)
        sql.run('RELEASE put')
        return puts
      } catch (cause) {
        if (!isTaken(cause) && !isEntryTaken(cause)) throw cause
        sql.run('ROLLBACK TO put')
        sql.run('RELEASE put')
        return undefined
      }
    },
    position: () => position,
    startAt(start) {
      position = start
    },
    written() {
      const since = bytes
      bytes = 0
      return since
    },
  }
}

/**
 * The newest records of all partitions, kept in memory up to a bound in bytes: most are read just
 * after they were written, and need not be read, checked and decoded again.
 */
export interface Recents {
  /** Keeps what was just put; how many bytes that is. */
  keep(head: Head, records: readonly LogRecord[]): number
  /** After memory was read again nothing is kept. */
  clear(): void
}

const RECENT_BYTES_MAX = 2_097_152
/** What a record weighs beside its texts. */
const RECORD_BYTES = 300

interface Kept {
  readonly head: Head
  readonly count: number
  readonly bytes: number
}

export function recentRecords(): Recents {
  let kept: Kept[] = []
  /** How many of `kept` are gone; they are cut off from time to time. */
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
        const oldest = kept[gone] as Kept
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
