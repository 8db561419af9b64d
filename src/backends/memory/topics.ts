import type { Admission, Stored } from '../../ports/admit.ts'
import { differencesOf } from '../../ports/differences.ts'
import type { LogEnd, LogEvent, LogRecord, Position, Slice } from '../../ports/log.ts'
import type { TopicSpec, TopicState } from '../../ports/log.ts'
import type { Budget } from '../../ports/turns.ts'
import { bytesOf } from '../../ports/turns.ts'

interface Partition {
  /** Offset of `records[0]`; offsets are dense here. */
  first: number
  records: LogRecord[]
}

interface Topic {
  readonly spec: TopicSpec
  readonly partitions: readonly Partition[]
  readonly byId: Map<string, LogRecord>
}

/** Topics as plain lists. Log and store share them: a unit's appends go straight in. */
export interface Topics extends Admission {
  find(topic: string, id: string): (LogRecord & Stored) | undefined
  declare(spec: TopicSpec): TopicState
  put(event: LogEvent): LogRecord
  slice(position: Position, left: Budget, isFirst: boolean): Slice
  ends(topic: string): readonly LogEnd[]
  trim(topic: string, partition: number, before: number): void
}

export function emptyTopics(): Topics {
  const topics = new Map<string, Topic>()
  let position = 0
  const partitionAt = (topic: string, partition: number): Partition => {
    const found = topics.get(topic)?.partitions[partition]
    if (!found) throw new Error(`there is no partition ${partition} of ${topic}`)
    return found
  }
  return {
    partitions: (topic) => topics.get(topic)?.spec.partitions,
    find: (topic, id) => topics.get(topic)?.byId.get(id),
    declare(spec) {
      const known = topics.get(spec.name)
      if (known)
        return { ...known.spec, isNew: false, differences: differencesOf(known.spec, spec) }
      const partitions = Array.from({ length: spec.partitions }, () => ({ first: 0, records: [] }))
      topics.set(spec.name, { spec, partitions, byId: new Map() })
      return { ...spec, isNew: true, differences: [] }
    },
    put(event) {
      const { records, first } = partitionAt(event.topic, event.partition)
      position += 1
      const record = { ...event, offset: first + records.length, position }
      records.push(record)
      topics.get(event.topic)?.byId.set(event.id, record)
      return record
    },
    slice({ topic, partition, next }, left, isFirst) {
      const { first, records } = partitionAt(topic, partition)
      const end = first + records.length
      const from = Math.max(next, first)
      const taken = takeUpTo(records, from - first, left, isFirst)
      const lost = next < first ? { lost: { from: next, to: first } } : {}
      return { topic, partition, records: taken, next: from + taken.length, end, ...lost }
    },
    ends: (topic) =>
      (topics.get(topic)?.partitions ?? []).map(({ first, records }, partition) => {
        return { topic, partition, first, next: first + records.length }
      }),
    trim(topic, partition, before) {
      const trimmed = partitionAt(topic, partition)
      const count = Math.min(Math.max(0, before - trimmed.first), trimmed.records.length)
      for (const { id } of trimmed.records.splice(0, count)) topics.get(topic)?.byId.delete(id)
      trimmed.first += count
    },
  }
}

function takeUpTo(
  records: readonly LogRecord[],
  from: number,
  left: Budget,
  isFirst: boolean,
): readonly LogRecord[] {
  const stop = Math.min(records.length, from + left.records)
  let bytes = 0
  let at = from
  for (; at < stop; at += 1) {
    bytes += bytesOf(records[at] as LogRecord)
    const mayStandAlone = isFirst && at === from
    if (bytes > left.bytes && !mayStandAlone) break
  }
  return records.slice(from, at)
}
