// Reads the log: one topic, the newest messages, a message by id, a whole conversation.
import { yieldToEventLoop } from '../base/time/clock.ts'
import { Fault } from '../base/errors/fault.ts'
import { asFault } from '../base/errors/thrown-error.ts'
import { unknownNameDetail } from '../base/options.ts'
import { decodeEnvelope } from '../contract/envelope.ts'
import { findRuleName } from '../engine/plan/index.ts'
import { assertUndamaged } from '../engine/context/index.ts'
import { conversationWaits, holdsContaining, readOperation } from '../engine/listing/index.ts'
import type { EventLog, LogEnd, LogRecord, Position, Slice } from '../ports/event-log.ts'
import { readConsumersOf } from './ledger/consumers-of-events.ts'
import { messageKindOf } from './message-kind.ts'
import { outcomeView } from './outcome-view.ts'
import type { System } from './system.ts'
import type { ChainEvent, ChainView, EventView } from './views.ts'

type ReadableSystem = Pick<System, 'backend' | 'catalog'>

const BYTES_PER_READ = 4_194_304
/** Messages of a conversation whose statuses and holds are looked up. */
const EXAMINED_MESSAGES_MAX = 1_000
const RECORDS_PER_READ = 1_000
/** The clock skew allowed between the services that send and store the messages of a conversation. */
const CLOCK_SKEW_MS = 60_000

export function eventView(
  { catalog }: Pick<System, 'catalog'>,
  record: LogRecord,
  withData = true,
): EventView {
  const envelope = decodeEnvelope(record)
  const { id, type, version, key, at, source, cause, correlation, sender } = envelope
  const { topic, partition, offset, data } = record
  return {
    kind: messageKindOf(catalog, topic, envelope),
    topic,
    partition,
    offset,
    id,
    type,
    ...(version === undefined ? {} : { version }),
    key,
    at,
    source,
    correlation,
    ...(sender === undefined
      ? {}
      : { rule: findRuleName(catalog, `${sender.service}/${sender.rule}`) ?? sender.rule }),
    ...(cause === undefined ? {} : { cause }),
    ...(withData ? { data: data === null ? null : (JSON.parse(data) as unknown) } : {}),
  }
}

/** Messages of a topic, and the offsets from which to continue. */
export interface TopicPage {
  readonly events: readonly EventView[]
  readonly next: readonly { readonly partition: number; readonly next: number }[]
}

/** Which part of a topic to read. */
export interface ReadTopicOptions {
  readonly topic: string
  readonly partition?: number
  /** The first offset in each partition. Default: the last `limit` messages. */
  readonly from?: number
  readonly limit: number
}

/**
 * @throws Fault `TOPIC_NOT_FOUND`; `LOG_DAMAGED`, `ARCHIVE_MISSING`, `ARCHIVE_DAMAGED` if the first record
 * cannot be read
 */
export async function readTopic(
  system: ReadableSystem,
  options: ReadTopicOptions,
): Promise<TopicPage> {
  const { topic, partition, from, limit } = options
  assertTopicExists(system, topic)
  const { log } = system.backend
  const ends = (await log.ends([topic])).filter(
    (end) => partition === undefined || end.partition === partition,
  )
  const slices =
    from === undefined
      ? await readLast(log, ends, limit)
      : await log.read(
          ends.map((end) => boundedPosition(end, from)),
          { records: limit, bytes: BYTES_PER_READ },
          { ms: 0 },
        )
  for (const slice of slices) if (slice.records.length === 0) assertUndamaged(slice)
  const records = slices.flatMap((slice) => slice.records).toSorted(byTime)
  return {
    events: records.slice(-limit).map((record) => eventView(system, record)),
    next: slices.map((slice) => ({ partition: slice.partition, next: slice.next })),
  }
}

/** Reads `limit` records at the end of each partition, since one may hold all of the newest ones. */
async function readLast(
  log: EventLog,
  ends: readonly LogEnd[],
  limit: number,
): Promise<readonly Slice[]> {
  const slices: Slice[] = []
  const max = { records: limit, bytes: BYTES_PER_READ }
  for (const end of ends)
    slices.push(...(await log.read([boundedPosition(end, end.next - limit)], max, { ms: 0 })))
  return slices
}

/** @throws Fault `TOPIC_NOT_FOUND` */
export function assertTopicExists({ catalog }: Pick<System, 'catalog'>, topic: string): void {
  const names = catalog.topics.map(({ name }) => name)
  if (names.includes(topic)) return
  throw new Fault('TOPIC_NOT_FOUND', {
    detail: unknownNameDetail(topic, names),
    ids: { topic },
  })
}

function boundedPosition({ topic, partition, first, next }: LogEnd, wanted: number): Position {
  return { topic, partition, next: Math.min(next, Math.max(first, wanted)) }
}

function byTime(one: LogRecord, other: LogRecord): number {
  return one.at - other.at || (one.position ?? one.offset) - (other.position ?? other.offset)
}

/** The newest messages of all topics, newest first, without their data. */
export async function newestEvents(
  system: ReadableSystem,
  limit: number,
): Promise<readonly EventView[]> {
  const { log } = system.backend
  const ends = await log.ends(system.catalog.topics.map(({ name }) => name))
  const slices = await readLast(log, ends, limit)
  const found = slices.flatMap((slice) => slice.records).toSorted(byTime)
  return found
    .slice(-limit)
    .toReversed()
    .map((record) => eventView(system, record, false))
}

/** A message by its id, in whichever topic it is. */
export async function findEvent(
  system: ReadableSystem,
  id: string,
): Promise<LogRecord | undefined> {
  const { log } = system.backend
  for (const { name } of system.catalog.topics) {
    const record = await log.find?.(name, id)
    if (record) return record
  }
  return undefined
}

/**
 * The conversation that a message belongs to, ordered by time. Reads all topics from the time of its
 * first message, up to `recordsMax` records.
 *
 * @throws Fault `MESSAGE_NOT_FOUND`
 */
export async function readChain(
  system: System,
  id: string,
  recordsMax: number,
): Promise<ChainView> {
  const { log } = system.backend
  const found = await findEvent(system, id)
  if (!found) throw new Fault('MESSAGE_NOT_FOUND', { detail: id, ids: { message: id } })
  const { correlation, origin } = decodeEnvelope(found)
  // The same id in another topic begins another conversation.
  const first = await (origin === undefined
    ? findEvent(system, correlation)
    : log.find?.(origin, correlation))
  const conversation = { correlation, origin }
  const { records, isComplete } = log.can.findByConversation
    ? await findByIndex(system, conversation, recordsMax)
    : await findByReading(system, conversation, [found, first ?? found], recordsMax)
  const sorted = records.toSorted(byTime)
  const examined = sorted.slice(0, EXAMINED_MESSAGES_MAX)
  const consumersOf = await readConsumersOf(system, examined)
  const state = await system.operation(correlation, origin).catch(noLongerKept)
  const operation = first && (await readOperation(system, first))
  return {
    correlation,
    events: sorted.map((record): ChainEvent => {
      const consumers = consumersOf(record)
      return { ...eventView(system, record), ...(consumers ? { consumers } : {}) }
    }),
    ...(state ? { operation: outcomeView(state) } : {}),
    waitsFor: await conversationWaits(system, conversation, operation?.waitsFor),
    held: await holdsContaining(system, examined),
    isComplete,
  }
}

/** The messages of a conversation may be kept for longer than the result of its operation. */
function noLongerKept(cause: unknown): undefined {
  if (asFault(cause)?.code !== 'OPERATION_NOT_FOUND') throw cause
}

interface Conversation {
  readonly correlation: string
  readonly origin: string | undefined
}

interface FoundRecords {
  readonly records: readonly LogRecord[]
  /** Whether there are no more of them. */
  readonly isComplete: boolean
}

/** The records of a conversation, by the index of the log. */
async function findByIndex(
  { backend: { log }, clock }: System,
  { correlation, origin }: Conversation,
  recordsMax: number,
): Promise<FoundRecords> {
  const records: LogRecord[] = []
  let after: number | undefined
  for (;;) {
    await yieldToEventLoop(clock)
    // One more tells whether there are more.
    const limit = Math.min(RECORDS_PER_READ, recordsMax + 1 - records.length)
    const page = (await log.conversation?.(correlation, limit, after)) ?? []
    for (const record of page) if (belongs(record, correlation, origin)) records.push(record)
    after = page.at(-1)?.position
    if (records.length > recordsMax)
      return { records: records.slice(0, recordsMax), isComplete: false }
    if (page.length < limit) return { records, isComplete: true }
  }
}

/** The same by reading all topics from the time at which the conversation began. */
async function findByReading(
  system: System,
  { correlation, origin }: Conversation,
  known: readonly LogRecord[],
  recordsMax: number,
): Promise<FoundRecords> {
  const { log } = system.backend
  const times = known.flatMap(({ at, storedAt }) => [at, storedAt])
  const since = Math.min(...times) - CLOCK_SKEW_MS
  const ends = await log.ends(system.catalog.topics.map(({ name }) => name))
  let from: readonly Position[] = await Promise.all(ends.map((end) => startAt(log, end, since)))
  const records: LogRecord[] = []
  let read = 0
  const max = { records: RECORDS_PER_READ, bytes: BYTES_PER_READ }
  while (read < recordsMax) {
    const slices = await log.read(from, max, { ms: 0 })
    const size = slices.reduce((sum, slice) => sum + slice.records.length, 0)
    if (size === 0) break
    read += size
    for (const slice of slices)
      for (const record of slice.records)
        // Skip the heads of other conversations without parsing them.
        if (
          record.head.includes(JSON.stringify(correlation)) &&
          belongs(record, correlation, origin)
        )
          records.push(record)
    from = slices.map(({ topic, partition, next }) => ({ topic, partition, next }))
    await yieldToEventLoop(system.clock)
  }
  return { records, isComplete: read < recordsMax }
}

function belongs(record: LogRecord, correlation: string, origin: string | undefined): boolean {
  const envelope = decodeEnvelope(record)
  return envelope.correlation === correlation && envelope.origin === origin
}

/**
 * The first offset to read to find what was stored since a time. Where the partition is damaged
 * there, its beginning, since reading finds the records that are still readable.
 */
async function startAt(log: EventLog, end: LogEnd, since: number): Promise<Position> {
  const { topic, partition, first } = end
  const from = await log.offsetAt(topic, partition, since).catch((cause: unknown) => {
    if (cause instanceof Fault && cause.code === 'LOG_DAMAGED') return first
    throw cause
  })
  return boundedPosition(end, from)
}
