// Lists one topic page by page, newest first; and finds messages by id or key in all topics.
import { yieldToEventLoop } from '../base/time/clock.ts'
import { Fault } from '../base/errors/fault.ts'
import { partitionOf } from '../contract/partition.ts'
import type { ListPage, Span } from '../engine/listing/index.ts'
import { newestFirst, SEARCH_MS_MAX } from '../engine/listing/index.ts'
import type { LogRecord } from '../ports/event-log.ts'
import { eventView, findEvent, assertTopicExists } from './read-topic.ts'
import type { System } from './system.ts'
import type { EventView, FoundMessages } from './views.ts'

type ReadableSystem = Pick<System, 'backend' | 'catalog' | 'clock'>

/** Records that one call reads at most to find matches. */
const RECORDS_READ_MAX = 20_000
const RECORDS_PER_YIELD = 500

/** A filter of the messages of a topic; times are times of storing. */
export interface BrowseOptions {
  readonly topic: string
  readonly partition?: number
  /** The highest offset, in each partition. */
  readonly offset?: number
  readonly since?: number
  readonly until?: number
  readonly key?: string
  /** Part of the wire name, case-insensitive. */
  readonly type?: string
  /** Part of the data as JSON or of the id, case-insensitive. */
  readonly text?: string
  readonly limit: number
  readonly after?: string
}

/**
 * The messages of a topic, newest first, without their data. One call reads at most 20,000 records
 * and takes a quarter of a second: if few of them match, a page may have fewer than `limit` items and
 * still a `next`.
 *
 * @throws Fault `TOPIC_NOT_FOUND`, `OPTION_INVALID`
 */
export async function browseTopic(
  system: ReadableSystem,
  { topic, partition, offset, since, until, key, type, text, limit, after }: BrowseOptions,
): Promise<ListPage<EventView>> {
  assertTopicExists(system, topic)
  assertPartitionExists(system, topic, partition)
  const holdsKey = partitionFilter(system, key)
  const span = {
    since,
    until,
    after,
    ...(offset === undefined ? {} : { offset }),
    includes: (place: Place) =>
      (partition === undefined || place.partition === partition) && holdsKey(place),
  }
  const includes = matcherOf({ key, type, text })
  return readPage(system, [topic], span, includes, limit)
}

/** @throws Fault `OPTION_INVALID` */
function assertPartitionExists(
  { catalog }: ReadableSystem,
  topic: string,
  partition: number | undefined,
): void {
  const { partitions = 1 } = catalog.topics.find(({ name }) => name === topic) ?? {}
  if (partition === undefined || partition < partitions) return
  const message = `must be a whole number from 0 to ${partitions - 1}: ${topic} has no other`
  throw new Fault('OPTION_INVALID', {
    detail: 'browse',
    issues: [{ path: 'partition', message }],
  })
}

type Place = Pick<LogRecord, 'topic' | 'partition'>

/** Selects the one partition of each topic that a key belongs to. */
function partitionFilter(
  { catalog }: ReadableSystem,
  key: string | undefined,
): (place: Place) => boolean {
  if (key === undefined) return () => true
  const counts = new Map(catalog.topics.map(({ name, partitions }) => [name, partitions]))
  return ({ topic, partition }) => partition === partitionOf(key, counts.get(topic) ?? 1)
}

function matcherOf({
  key,
  type,
  text,
}: {
  readonly key: string | undefined
  readonly type: string | undefined
  readonly text: string | undefined
}): (record: LogRecord) => boolean {
  const typePart = type?.toLowerCase() ?? ''
  const idPart = text?.toLowerCase() ?? ''
  const dataPart = JSON.stringify(idPart).slice(1, -1)
  return (record) =>
    (key === undefined || record.key === key) &&
    record.type.toLowerCase().includes(typePart) &&
    (idPart === '' ||
      record.id.toLowerCase().includes(idPart) ||
      (record.data ?? '').toLowerCase().includes(dataPart))
}

async function readPage(
  system: ReadableSystem,
  topics: readonly string[],
  span: Span,
  includes: (record: LogRecord) => boolean,
  limit: number,
): Promise<ListPage<EventView>> {
  const items: EventView[] = []
  let recordsRead = 0
  let next: string | undefined
  const endsAt = system.clock.elapsed() + SEARCH_MS_MAX
  for await (const { record, cursor } of newestFirst(system.backend.log, topics, span)) {
    const isLate = recordsRead > 0 && system.clock.elapsed() >= endsAt
    if (items.length === limit || recordsRead === RECORDS_READ_MAX || isLate)
      return next === undefined ? { items } : { items, next }
    recordsRead += 1
    if (recordsRead % RECORDS_PER_YIELD === 0) await yieldToEventLoop(system.clock)
    next = cursor
    if (includes(record)) items.push(eventView(system, record, false))
  }
  return { items }
}

/**
 * Finds the message with this id and the messages with this key, newest first, in all topics.
 *
 * @throws Fault `OPTION_INVALID`
 */
export async function findMessages(
  system: ReadableSystem,
  {
    text,
    limit,
    after,
  }: { readonly text: string; readonly limit: number; readonly after?: string },
): Promise<FoundMessages> {
  const topics = system.catalog.topics.map(({ name }) => name)
  const found = after === undefined ? await findEvent(system, text) : undefined
  const span = {
    since: undefined,
    until: undefined,
    after,
    includes: partitionFilter(system, text),
  }
  const byKey = await readPage(system, topics, span, ({ key }) => key === text, limit)
  return { ...byKey, ...(found ? { byId: eventView(system, found, false) } : {}) }
}
