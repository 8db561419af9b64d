// Lists one topic page by page, newest first; and finds messages by id or key in all topics.
import { breathe } from '../base/clock.ts'
import { Fault } from '../base/fault.ts'
import { partitionOf } from '../contract/partition.ts'
import type { Listing } from '../engine/listings.ts'
import type { Span } from '../engine/newest-first.ts'
import { newestFirst } from '../engine/newest-first.ts'
import type { LogRecord } from '../ports/log.ts'
import { eventView, findEvent, mustBeTopic } from './browse.ts'
import type { System } from './system.ts'
import type { EventView, FoundMessages } from './views.ts'

type Looking = Pick<System, 'backend' | 'catalog' | 'clock'>

/** Records that one call reads at most to find matches. */
const LOOKED_AT_MAX = 20_000
const BREATHE_EVERY = 500

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
 * The messages of a topic, newest first, without their data. One call reads at most 20,000 records: if
 * few of them match, a page may have fewer than `limit` items and still a `next`.
 *
 * @throws Fault `TOPIC_NOT_FOUND`, `OPTION_INVALID`
 */
export async function browseTopic(
  looking: Looking,
  { topic, partition, offset, since, until, key, type, text, limit, after }: BrowseOptions,
): Promise<Listing<EventView>> {
  mustBeTopic(looking, topic)
  mustBePartition(looking, topic, partition)
  const holdsKey = partitionsOf(looking, key)
  const span = {
    since,
    until,
    after,
    ...(offset === undefined ? {} : { offset }),
    isWanted: (place: Place) =>
      (partition === undefined || place.partition === partition) && holdsKey(place),
  }
  const isWanted = matching({ key, type, text })
  return page(looking, [topic], span, isWanted, limit)
}

/** @throws Fault `OPTION_INVALID` */
function mustBePartition({ catalog }: Looking, topic: string, partition: number | undefined): void {
  const { partitions = 1 } = catalog.topics.find(({ name }) => name === topic) ?? {}
  if (partition === undefined || partition < partitions) return
  const message = `must be a whole number from 0 to ${partitions - 1}: ${topic} has no other`
  throw new Fault('OPTION_INVALID', {
    detail: 'browse',
    complaints: [{ path: 'partition', message }],
  })
}

type Place = Pick<LogRecord, 'topic' | 'partition'>

/** Selects the one partition of each topic that a key belongs to. */
function partitionsOf({ catalog }: Looking, key: string | undefined): (place: Place) => boolean {
  if (key === undefined) return () => true
  const counts = new Map(catalog.topics.map(({ name, partitions }) => [name, partitions]))
  return ({ topic, partition }) => partition === partitionOf(key, counts.get(topic) ?? 1)
}

function matching({
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

async function page(
  looking: Looking,
  topics: readonly string[],
  span: Span,
  isWanted: (record: LogRecord) => boolean,
  limit: number,
): Promise<Listing<EventView>> {
  const items: EventView[] = []
  let lookedAt = 0
  let next: string | undefined
  for await (const { record, cursor } of newestFirst(looking.backend.log, topics, span)) {
    if (items.length === limit || lookedAt === LOOKED_AT_MAX)
      return next === undefined ? { items } : { items, next }
    lookedAt += 1
    if (lookedAt % BREATHE_EVERY === 0) await breathe(looking.clock)
    next = cursor
    if (isWanted(record)) items.push(eventView(looking, record, false))
  }
  return { items }
}

/**
 * Finds the message with this id and the messages with this key, newest first, in all topics.
 *
 * @throws Fault `OPTION_INVALID`
 */
export async function findMessages(
  looking: Looking,
  {
    text,
    limit,
    after,
  }: { readonly text: string; readonly limit: number; readonly after?: string },
): Promise<FoundMessages> {
  const topics = looking.catalog.topics.map(({ name }) => name)
  const found = after === undefined ? await findEvent(looking, text) : undefined
  const span = { since: undefined, until: undefined, after, isWanted: partitionsOf(looking, text) }
  const byKey = await page(looking, topics, span, ({ key }) => key === text, limit)
  return { ...byKey, ...(found ? { byId: eventView(looking, found, false) } : {}) }
}
