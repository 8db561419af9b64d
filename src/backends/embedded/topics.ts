import type { Clock } from '../../base/clock.ts'
import type { Admission } from '../../ports/admit.ts'
import type { Inspected, LogEnd, Position, Slice, TopicSpec } from '../../ports/log.ts'
import type { TopicState } from '../../ports/log.ts'
import type { Budget } from '../../ports/turns.ts'
import type { Archive } from './archive-index.ts'
import type { Bodies } from './bodies.ts'
import { bodiesIn } from './bodies.ts'
import type { DamageBook } from './damage.ts'
import type { Head, Heads } from './heads.ts'
import { dropRecent, headsIn, recentFrom } from './heads.ts'
import { inspect } from './inspect.ts'
import type { Lookups } from './lookups.ts'
import { lookupsIn } from './lookups.ts'
import type { Puts } from './puts.ts'
import { putsIn, recentRecords } from './puts.ts'
import { damagedRecord, isDamaged } from './results.ts'
import type { Reading } from './slices.ts'
import { readSlice } from './slices.ts'
import type { Statements } from './statements.ts'

/** The log: all topics and their records. */
export interface Topics extends Admission, Lookups, Puts {
  find: Lookups['find']
  readonly heads: Heads
  readonly bodies: Bodies
  /** Reloads the in-memory state. */
  load(): void
  declare(spec: TopicSpec): TopicState
  /** The chain of a partition up to a record; `undefined` where it cannot be read. */
  chainAt(topic: string, partition: number, offset: number): number | undefined
  slice(position: Position, left: Budget, isFirst: boolean): Slice
  ends(topic: string): readonly LogEnd[]
  /** Trims up to `countMax` records below an offset; returns whether there are more. */
  trim(topic: string, partition: number, before: number, countMax: number): boolean
  /** Verifies up to `max` records of a partition from an offset on. */
  inspect(topic: string, partition: number, from: number, max: number): Inspected
}

const SELECT_SUMS = 'SELECT sum(length(data)) FROM log WHERE topic = ? AND part = ? AND off < ?'
const SELECT_CHAIN = 'SELECT chain FROM log WHERE topic = ? AND part = ? AND off = ?'

export interface TopicsParts {
  readonly sql: Statements
  readonly damage: DamageBook
  readonly clock: Clock
  readonly archived: Archive['look']
}

export function topicsIn({ sql, damage, clock, archived }: TopicsParts): Topics {
  const heads = headsIn(sql)
  const recents = recentRecords()
  const puts = putsIn(sql, heads, recents, clock)
  const reading: Reading = { sql, damage, archived, nowMs: clock.now }
  const lookups = lookupsIn(reading, heads)
  return {
    ...puts,
    ...lookups,
    heads,
    bodies: bodiesIn(reading),
    load() {
      recents.clear()
      heads.load()
      const trimmed = sql.get("SELECT value FROM meta WHERE name = 'position'")
      const last = sql.get('SELECT max(position) FROM log')
      puts.startAt(Math.max(Number(trimmed?.[0] ?? 0), Number(last?.[0] ?? 0)))
    },
    partitions: (topic) => heads.known(topic)?.spec.partitions,
    stops(topic, partition) {
      if (damage.all().length === 0) return undefined
      const known = heads.known(topic)
      const stops = known && damage.stops(known.id, partition)
      return stops && { code: stops.code, from: stops.from, to: stops.to }
    },
    declare: heads.declare,
    chainAt: (topic, partition, offset) => chainAt(reading, heads.head(topic, partition), offset),
    slice(position, left, isFirst) {
      const head = heads.head(position.topic, position.partition)
      return readSlice(reading, head, position, left, isFirst)
    },
    ends: (topic) =>
      (heads.known(topic)?.heads ?? []).map(({ partition, first, next }) => {
        return { topic, partition, first, next }
      }),
    trim(topic, partition, before, countMax) {
      const head = heads.head(topic, partition)
      const to = Math.min(before, head.next, head.first + countMax)
      if (to <= head.first) return false
      mustBeReadable(reading, topic, head, to)
      trimHead(sql, head, to, puts.position())
      damage.cut(head.topic, partition, to)
      heads.moved(head)
      return to < Math.min(before, head.next)
    },
    inspect: (topic, partition, from, max) =>
      inspect(reading, heads.head(topic, partition), topic, from, max),
  }
}

function chainAt({ sql }: Reading, head: Head, offset: number): number | undefined {
  try {
    return sql.get(SELECT_CHAIN, head.topic, head.partition, offset)?.[0] as number | undefined
  } catch (cause) {
    if (isDamaged(cause)) return undefined
    throw cause
  }
}

/**
 * Reads the records to trim first: a delete on a damaged page would fail, and stop all writes.
 *
 * @throws Fault `LOG_DAMAGED`
 */
function mustBeReadable(
  { sql, damage, nowMs }: Reading,
  name: string,
  head: Head,
  to: number,
): void {
  const { topic, partition, first } = head
  try {
    sql.get(SELECT_SUMS, topic, partition, to)
  } catch (cause) {
    if (!isDamaged(cause)) throw cause
    const range = { code: 'UNREADABLE', from: first, to } as const
    damage.found({ topic, partition, ...range, foundMs: nowMs() })
    throw damagedRecord(name, partition, range)
  }
}

/** Updates the head first: a trigger forbids deleting records from its first offset on. */
function trimHead(sql: Statements, head: Head, to: number, position: number): void {
  const { topic, partition } = head
  const last = sql.get(SELECT_CHAIN, topic, partition, to - 1)
  head.first = to
  head.base = (last?.[0] as number | undefined) ?? head.base
  if (to > recentFrom(head)) dropRecent(head.recent, to - recentFrom(head))
  sql.run('UPDATE head SET first = ? WHERE topic = ? AND part = ?', to, topic, partition)
  sql.run('DELETE FROM log WHERE topic = ? AND part = ? AND off < ?', topic, partition, to)
  sql.run('DELETE FROM archive WHERE topic = ? AND part = ? AND to_off <= ?', topic, partition, to)
  sql.run("INSERT OR REPLACE INTO meta (name, value) VALUES ('position', ?)", String(position))
}
