// Compares the snapshot of a directory with what the processes reported: one pure check per promise.
import { isDeepStrictEqual } from 'node:util'
import type { LogEnd, LogEvent, LogRecord } from '../../../src/ports/event-log.ts'
import { stateViolations } from './state-invariants.ts'
import type { BatchKind, Observed } from './protocol.ts'
import { batchNamed } from './protocol.ts'
import { PARTITIONS, TOPICS } from './scenario.ts'
import type { Evidence } from './evidence.ts'

export interface Violation {
  readonly check: string
  readonly detail: string
}

type Check = (evidence: Evidence) => Iterable<string>

/** The invariants, by name, which hold whenever a directory is opened again. */
const CHECKS: Readonly<Record<string, Check>> = {
  'nothing went wrong': ({ observed }) => observed.wrong,
  'every acked event is there, at its offset, as it was': ackedAreThere,
  'no event is there twice, and none that nobody sent': onceAndKnown,
  'offsets have no gap, and no position comes twice': denseOffsets,
  'keys keep their order, and nothing overtakes what was lost': keysInOrder,
  'an atomic batch is there whole or not at all': wholeBatches,
  'what is trimmed is what was asked for': trimmedAsAsked,
  'compaction keeps the latest of each key': latestOfEachKey,
  'a topic is there whole or not at all': wholeTopics,
  'every command that was taken is there': sentAreThere,
  'counters, rows, streams and effects are those of the log': stateViolations,
}

export const CHECK_NAMES: readonly string[] = Object.keys(CHECKS)

/** All violations, at most ten of each check. */
export function findViolations(evidence: Evidence): readonly Violation[] {
  return Object.entries(CHECKS).flatMap(([check, run]) => {
    const found: Violation[] = []
    for (const what of run(evidence))
      if (found.push({ check, detail: what }) >= VIOLATIONS_MAX) break
    return found
  })
}

const VIOLATIONS_MAX = 10
const KINDS: readonly BatchKind[] = ['batch', 'trimmed']

const placeText = ({
  topic,
  partition,
  offset,
}: Pick<LogRecord, 'topic' | 'partition' | 'offset'>) => `${topic}/${partition}@${offset}`

const inTopic = (topic: string, id: string): string => `${topic}\n${id}`

function byId(records: readonly LogRecord[]): ReadonlyMap<string, LogRecord> {
  return new Map(records.map((record) => [inTopic(record.topic, record.id), record]))
}

/** The first offset of each partition. */
function firsts(ends: readonly LogEnd[]): ReadonlyMap<string, number> {
  return new Map(ends.map(({ topic, partition, first }) => [`${topic}/${partition}`, first]))
}

function* ackedAreThere({ observed, snapshot }: Evidence): Generator<string> {
  const stored = byId(snapshot.records)
  const first = firsts(snapshot.ends)
  for (const kind of KINDS)
    for (const [number, offsets] of observed.acked[kind])
      for (const [at, event] of batchNamed(observed.seed, kind, number).events.entries()) {
        const { topic, partition, id } = event
        const offset = offsets[at] ?? -1
        const record = stored.get(inTopic(topic, id))
        const isGone = offset < (first.get(`${topic}/${partition}`) ?? 0)
        if (record ? record.offset !== offset : !isGone && !mayBeCompacted(observed, event, offset))
          yield (
            `${kind} ${number}: ${id} was acked at ${placeText({ topic, partition, offset })}` +
              (record ? ` and is at ${placeText(record)}` : ' and is not there')
          )
        if (record && !isDeepStrictEqual(contentOf(record), contentOf(event)))
          yield `${kind} ${number}: ${id} is not what was sent`
      }
}

/** The content of an event as it was sent; time and head are set on append. */
function contentOf({ topic, partition, id, key, type, data }: LogEvent): Partial<LogEvent> {
  return { topic, partition, id, key, type, data }
}

function mayBeCompacted(told: Observed, { topic, partition }: LogEvent, offset: number): boolean {
  return topic === TOPICS.compacted && offset < (told.compacted.get(partition)?.tried ?? 0)
}

function* onceAndKnown({ observed, snapshot }: Evidence): Generator<string> {
  const known = new Set<string>()
  for (const kind of KINDS)
    for (const number of observed.tried[kind])
      for (const { topic, id } of batchNamed(observed.seed, kind, number).events)
        known.add(inTopic(topic, id))
  const ours: ReadonlySet<string> = new Set([
    TOPICS.measured,
    TOPICS.raised,
    TOPICS.trimmed,
    TOPICS.compacted,
  ])
  const met = new Set<string>()
  for (const record of snapshot.records) {
    const name = inTopic(record.topic, record.id)
    if (met.has(name)) yield `${record.id} is a second time at ${placeText(record)}`
    met.add(name)
    if (ours.has(record.topic) && !known.has(name))
      yield `${record.id} at ${placeText(record)} was never sent`
  }
}

function* denseOffsets({ observed, snapshot }: Evidence): Generator<string> {
  const positions = new Set<number>()
  const latest = new Map<string, LogRecord>()
  const count = new Map<string, number>()
  for (const record of snapshot.records) {
    const name = `${record.topic}/${record.partition}`
    const { position = -1 } = record
    if (positions.has(position)) yield `${placeText(record)} has a position twice: ${position}`
    positions.add(position)
    const before = latest.get(name)
    if (before && before.offset >= record.offset)
      yield `${placeText(record)} follows ${placeText(before)}`
    if (before && (before.position ?? 0) >= position)
      yield `${placeText(record)} has an earlier position than ${placeText(before)}`
    latest.set(name, record)
    count.set(name, (count.get(name) ?? 0) + 1)
  }
  for (const { topic, partition, first, next } of snapshot.ends) {
    const name = `${topic}/${partition}`
    const isCompacted = topic === TOPICS.compacted && observed.compacted.has(partition)
    const missing = next - first - (count.get(name) ?? 0)
    if (missing < 0 || (missing > 0 && !isCompacted))
      yield `${name} has ${count.get(name) ?? 0} records from ${first} up to ${next}`
    if ((latest.get(name)?.offset ?? -1) >= next) yield `${name} goes on behind its end at ${next}`
  }
}

/** The stored ids of a key are a prefix of its tried ids, in order. */
function* keysInOrder({ observed, snapshot }: Evidence): Generator<string> {
  const tried = new Map<string, string[]>()
  for (const number of observed.tried.batch)
    for (const { topic, key, id } of batchNamed(observed.seed, 'batch', number).events) {
      const ids = tried.get(inTopic(topic, key)) ?? []
      ids.push(id)
      tried.set(inTopic(topic, key), ids)
    }
  const stored = new Map<string, string[]>()
  for (const { topic, key, id } of snapshot.records) {
    const ids = stored.get(inTopic(topic, key)) ?? []
    ids.push(id)
    stored.set(inTopic(topic, key), ids)
  }
  for (const [name, ids] of tried) {
    const found = stored.get(name) ?? []
    const isCompacted = name.startsWith(`${TOPICS.compacted}\n`) && observed.compacted.size > 0
    const expected = isCompacted ? ids.filter((id) => found.includes(id)) : ids
    for (const [at, id] of found.entries())
      if (id !== expected[at]) {
        yield `${name.replace('\n', ' of ')}: ${id} stands where ${expected[at]} was expected`
        break
      }
  }
}

function* wholeBatches({ observed, snapshot }: Evidence): Generator<string> {
  const stored = byId(snapshot.records)
  for (const number of observed.tried.batch) {
    const { isAtomic, events } = batchNamed(observed.seed, 'batch', number)
    if (!isAtomic) continue
    // Compaction may remove single events of it later.
    const lasting = events.filter(({ topic }) => topic !== TOPICS.compacted)
    const there = lasting.filter(({ topic, id }) => stored.has(inTopic(topic, id)))
    if (there.length !== 0 && there.length !== lasting.length)
      yield `batch ${number}: ${there.length} of ${lasting.length} events are there`
  }
}

function* trimmedAsAsked({ observed, snapshot }: Evidence): Generator<string> {
  for (const { topic, partition, first, next } of snapshot.ends) {
    const { tried, acked } = observed.trimmed.get(partition) ?? { tried: 0, acked: 0 }
    if (topic !== TOPICS.trimmed) {
      if (first > 0) yield `${topic}/${partition} begins at ${first} and was never trimmed`
    } else if (first < Math.min(acked, next) || first > tried)
      yield `${topic}/${partition} begins at ${first}: asked for ${tried}, acked ${acked}`
  }
}

function* latestOfEachKey({ observed, snapshot }: Evidence): Generator<string> {
  const stored = byId(snapshot.records)
  const latest = new Map<string, readonly [number, LogEvent]>()
  for (const [number, offsets] of observed.acked.batch)
    for (const [at, event] of batchNamed(observed.seed, 'batch', number).events.entries()) {
      const offset = offsets[at] ?? -1
      if (event.topic === TOPICS.compacted && offset > (latest.get(event.key)?.[0] ?? -1))
        latest.set(event.key, [offset, event])
    }
  for (const [key, [offset, { topic, id, partition }]] of latest) {
    const isThere = stored.has(inTopic(topic, id))
    const isFollowed = snapshot.records.some(
      (record) => record.topic === topic && record.key === key && record.offset > offset,
    )
    if (!isThere && !isFollowed)
      yield `${id}, the latest of ${key} in partition ${partition}, is gone`
  }
}

function* wholeTopics({ observed, snapshot }: Evidence): Generator<string> {
  for (const [topic, isAcked] of observed.topics) {
    const partitions = snapshot.ends.filter((end) => end.topic === topic).length
    if (partitions !== PARTITIONS && (isAcked || partitions !== 0))
      yield `${topic} has ${partitions} partitions`
  }
}

function* sentAreThere({ observed, snapshot }: Evidence): Generator<string> {
  const commands = new Set(
    snapshot.records.filter(({ topic }) => topic === TOPICS.commands).map(({ id }) => id),
  )
  for (const number of observed.sent)
    if (!commands.has(`deposit-${number}`)) yield `deposit-${number} was taken and is not there`
  for (const id of commands)
    if (id.startsWith('deposit-') && !observed.sending.has(Number(id.slice('deposit-'.length))))
      yield `${id} was never sent`
}
