import type { Clock } from '../../../base/time/clock.ts'
import type { AppendLookup } from '../../../ports/append-decision.ts'
import type {
  InspectedRange,
  LogEnd,
  Position,
  Slice,
  TopicSpec,
} from '../../../ports/event-log.ts'
import type { TopicState } from '../../../ports/event-log.ts'
import type { ReadBudget } from '../../../ports/round-robin.ts'
import type { RestoreArchived } from './restore-archived.ts'
import type { Payloads } from './payloads.ts'
import { createPayloads } from './payloads.ts'
import type { DamageRegistry } from './damage-registry.ts'
import type { PartitionHead, TopicHeads } from './partition-heads.ts'
import { dropRecent, createTopicHeads, firstRecentOffset } from './partition-heads.ts'
import { inspectPartition } from './inspect-partition.ts'
import type { Lookups } from './lookups.ts'
import { createLookups } from './lookups.ts'
import type { Appender } from './appender.ts'
import { createAppender, createRecentCache } from './appender.ts'
import {
  BLOCK_RECORDS,
  createConversationBlocks,
  damagedRecordFault,
  isCorrupt,
} from '../sql/index.ts'
import type { ReadContext } from './read-partition.ts'
import { readPartition } from './read-partition.ts'
import type { Statements } from '../sql/index.ts'

/** The log: all topics and their records. */
export interface Topics extends AppendLookup, Lookups, Appender {
  find: Lookups['find']
  readonly heads: TopicHeads
  readonly payloads: Payloads
  /** Reloads the in-memory state. */
  load(): void
  declare(spec: TopicSpec): TopicState
  /** The chain of a partition up to a record; `undefined` where it cannot be read. */
  chainAt(topic: string, partition: number, offset: number): number | undefined
  slice(position: Position, left: ReadBudget, isFirst: boolean): Slice
  ends(topic: string): readonly LogEnd[]
  /** Trims up to `countMax` records below an offset; returns whether there are more. */
  trim(topic: string, partition: number, before: number, countMax: number): boolean
  /** Verifies up to `max` records of a partition from an offset on. */
  inspect(topic: string, partition: number, from: number, max: number): InspectedRange
}

const SELECT_SUMS = 'SELECT sum(length(data)) FROM log WHERE topic = ? AND part = ? AND off < ?'
const SELECT_CHAIN = 'SELECT chain FROM log WHERE topic = ? AND part = ? AND off = ?'

export interface TopicsOptions {
  readonly sql: Statements
  readonly damage: DamageRegistry
  readonly clock: Clock
  readonly restoreArchived: RestoreArchived
}

export function createTopics({ sql, damage, clock, restoreArchived }: TopicsOptions): Topics {
  const heads = createTopicHeads(sql)
  const recent = createRecentCache()
  const conversations = createConversationBlocks(sql)
  const appender = createAppender(sql, heads, recent, conversations, clock)
  const reading: ReadContext = { sql, damage, restoreArchived, nowMs: clock.now }
  const lookups = createLookups(reading, heads)
  return {
    ...appender,
    ...lookups,
    heads,
    payloads: createPayloads(reading),
    load() {
      recent.clear()
      heads.load()
      conversations.load()
      const trimmed = sql.get("SELECT value FROM meta WHERE name = 'position'")
      const last = sql.get('SELECT max(position) FROM log')
      appender.startAt(Math.max(Number(trimmed?.[0] ?? 0), Number(last?.[0] ?? 0)))
    },
    partitions: (topic) => heads.known(topic)?.spec.partitions,
    damageAt(topic, partition) {
      if (damage.all().length === 0) return undefined
      const known = heads.known(topic)
      const stops = known && damage.firstUnaccepted(known.id, partition)
      return stops && { code: stops.code, from: stops.from, to: stops.to }
    },
    declare: heads.declare,
    chainAt: (topic, partition, offset) => chainAt(reading, heads.head(topic, partition), offset),
    slice(position, left, isFirst) {
      const head = heads.head(position.topic, position.partition)
      return readPartition(reading, head, position, left, isFirst)
    },
    ends: (topic) =>
      (heads.known(topic)?.heads ?? []).map(({ partition, first, next }) => {
        return { topic, partition, first, next }
      }),
    trim(topic, partition, before, countMax) {
      const head = heads.head(topic, partition)
      const to = Math.min(before, head.next, head.first + countMax)
      if (to <= head.first) return false
      assertReadableUpTo(reading, topic, head, to)
      trimHead(sql, head, to, appender.position())
      damage.forgetBefore(head.topic, partition, to)
      heads.markChanged(head)
      return to < Math.min(before, head.next)
    },
    inspect: (topic, partition, from, max) =>
      inspectPartition(reading, heads.head(topic, partition), topic, from, max),
  }
}

function chainAt({ sql }: ReadContext, head: PartitionHead, offset: number): number | undefined {
  try {
    return sql.get(SELECT_CHAIN, head.topic, head.partition, offset)?.[0] as number | undefined
  } catch (cause) {
    if (isCorrupt(cause)) return undefined
    throw cause
  }
}

/**
 * Reads the records to trim first: a delete on a damaged page would fail, and stop all writes.
 *
 * @throws Fault `LOG_DAMAGED`
 */
function assertReadableUpTo(
  { sql, damage, nowMs }: ReadContext,
  name: string,
  head: PartitionHead,
  to: number,
): void {
  const { topic, partition, first } = head
  try {
    sql.get(SELECT_SUMS, topic, partition, to)
  } catch (cause) {
    if (!isCorrupt(cause)) throw cause
    const range = { code: 'UNREADABLE', from: first, to } as const
    damage.report({ topic, partition, ...range, foundMs: nowMs() })
    throw damagedRecordFault(name, partition, range)
  }
}

/** Updates the head first: a trigger forbids deleting records from its first offset on. */
function trimHead(sql: Statements, head: PartitionHead, to: number, position: number): void {
  const { topic, partition } = head
  const last = sql.get(SELECT_CHAIN, topic, partition, to - 1)
  head.first = to
  head.base = (last?.[0] as number | undefined) ?? head.base
  if (to > firstRecentOffset(head)) dropRecent(head.recent, to - firstRecentOffset(head))
  sql.run('UPDATE head SET first = ? WHERE topic = ? AND part = ?', to, topic, partition)
  sql.run('DELETE FROM log WHERE topic = ? AND part = ? AND off < ?', topic, partition, to)
  sql.run('DELETE FROM archive WHERE topic = ? AND part = ? AND to_off <= ?', topic, partition, to)
  const first = sql.get('SELECT min(position) FROM log')?.[0] as number | null
  sql.run('DELETE FROM conversation WHERE from_pos <= ?', (first ?? position + 1) - BLOCK_RECORDS)
  sql.run("INSERT OR REPLACE INTO meta (name, value) VALUES ('position', ?)", String(position))
}
