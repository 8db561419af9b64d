import type { Clock } from '../../base/time/clock.ts'
import type { AppendLookup, StoredEvent } from '../../ports/append-decision.ts'
import { topicDifferences } from '../../ports/topic-differences.ts'
import type { LogEnd, LogEvent, LogRecord, Position, Slice } from '../../ports/event-log.ts'
import type { TopicSpec, TopicState } from '../../ports/event-log.ts'
import type { ReadBudget } from '../../ports/round-robin.ts'
import { bytesOf } from '../../ports/round-robin.ts'

interface Partition {
  /** Offset of `records[0]`; offsets are dense here. */
  first: number
  records: LogRecord[]
  /** Compacted offsets. Their records stay, to recognize duplicates. */
  readonly removed: Set<number>
}

interface Topic {
  readonly spec: TopicSpec
  readonly partitions: readonly Partition[]
  readonly byId: Map<string, LogRecord>
}

/** Topics as plain lists, shared by log and store: a unit's appends go straight into the log. */
export interface Topics extends AppendLookup {
  find(topic: string, id: string): (LogRecord & StoredEvent) | undefined
  /** Like `find`, but nothing for compacted records. */
  readable(topic: string, id: string): LogRecord | undefined
  declare(spec: TopicSpec): TopicState
  append(event: LogEvent): LogRecord
  slice(position: Position, left: ReadBudget, isFirst: boolean): Slice
  ends(topic: string): readonly LogEnd[]
  /** All records of all topics, the newest first; those that are compacted have no head. */
  newestFirst(): readonly LogRecord[]
  offsetAt(topic: string, partition: number, atMs: number): number
  trim(topic: string, partition: number, before: number): void
  compact(topic: string, partition: number, before: number, tombstonesBeforeMs: number): number
}

export function createTopics(clock: Clock): Topics {
  const topics = new Map<string, Topic>()
  let position = 0
  const partitionAt = (topic: string, partition: number): Partition => {
    const found = topics.get(topic)?.partitions[partition]
    if (!found) throw new Error(`there is no partition ${partition} of ${topic}`)
    return found
  }
  const find = (topic: string, id: string): LogRecord | undefined => topics.get(topic)?.byId.get(id)
  return {
    partitions: (topic) => topics.get(topic)?.spec.partitions,
    find,
    readable(topic, id) {
      const record = find(topic, id)
      if (!record) return undefined
      return partitionAt(topic, record.partition).removed.has(record.offset) ? undefined : record
    },
    declare(spec) {
      const known = topics.get(spec.name)
      if (known)
        return { ...known.spec, isNew: false, differences: topicDifferences(known.spec, spec) }
      const partitions = Array.from({ length: spec.partitions }, createPartition)
      topics.set(spec.name, { spec, partitions, byId: new Map() })
      return { ...spec, isNew: true, differences: [] }
    },
    append(event) {
      const { records, first } = partitionAt(event.topic, event.partition)
      position += 1
      const storedAt = Math.max(clock.now(), records.at(-1)?.storedAt ?? 0)
      const record = { ...event, offset: first + records.length, position, storedAt }
      records.push(record)
      topics.get(event.topic)?.byId.set(event.id, record)
      return record
    },
    slice({ topic, partition, next }, left, isFirst) {
      const found = partitionAt(topic, partition)
      const { first, records } = found
      const end = first + records.length
      const lost = next < first ? { lost: { from: next, to: first } } : {}
      return { topic, partition, ...takeUpTo(found, next, left, isFirst), end, ...lost }
    },
    ends: (topic) =>
      (topics.get(topic)?.partitions ?? []).map(({ first, records }, partition) => {
        return { topic, partition, first, next: first + records.length }
      }),
    newestFirst: () => newestFirst(topics.values()),
    offsetAt(topic, partition, atMs) {
      const { first, records, removed } = partitionAt(topic, partition)
      let [low, high] = [0, records.length]
      while (low < high) {
        const middle = (low + high) >> 1
        if ((records[middle] as LogRecord).storedAt < atMs) low = middle + 1
        else high = middle
      }
      while (removed.has(first + low)) low += 1
      return first + low
    },
    trim(topic, partition, before) {
      const trimmed = partitionAt(topic, partition)
      const count = Math.min(Math.max(0, before - trimmed.first), trimmed.records.length)
      for (const { id, offset } of trimmed.records.splice(0, count)) {
        topics.get(topic)?.byId.delete(id)
        trimmed.removed.delete(offset)
      }
      trimmed.first += count
    },
    compact: (topic, partition, before, tombstonesBeforeMs) =>
      compact(partitionAt(topic, partition), before, tombstonesBeforeMs),
  }
}

function newestFirst(topics: Iterable<Topic>): readonly LogRecord[] {
  const partitions = [...topics].flatMap((topic) => topic.partitions)
  return partitions
    .flatMap(({ records, removed }) =>
      records.map((each) => (removed.has(each.offset) ? { ...each, head: '' } : each)),
    )
    .toSorted((a, b) => (b.position ?? 0) - (a.position ?? 0))
}

const createPartition = (): Partition => ({ first: 0, records: [], removed: new Set() })

/** Goes backwards, so that the first record of a key that it meets is the one to keep. */
function compact(
  { records, removed }: Partition,
  before: number,
  tombstonesBeforeMs: number,
): number {
  const seen = new Set<string>()
  const countBefore = removed.size
  for (const { offset, key, data, storedAt } of records.toReversed()) {
    if (removed.has(offset)) continue
    const isOver = seen.has(key) || (data === null && storedAt < tombstonesBeforeMs)
    if (offset < before && isOver) removed.add(offset)
    seen.add(key)
  }
  return removed.size - countBefore
}

function takeUpTo(
  { first, records, removed }: Partition,
  from: number,
  left: ReadBudget,
  isFirst: boolean,
): { readonly records: readonly LogRecord[]; readonly next: number } {
  const taken: LogRecord[] = []
  let bytes = 0
  let next = Math.max(from, first)
  for (; next < first + records.length; next += 1) {
    if (removed.has(next)) continue
    const record = records[next - first] as LogRecord
    bytes += bytesOf(record)
    const mayStandAlone = isFirst && taken.length === 0
    if (taken.length >= left.records || (bytes > left.bytes && !mayStandAlone)) break
    taken.push(record)
  }
  return { records: taken, next }
}
