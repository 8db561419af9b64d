import { NO_COUNTS } from '../../ports/progress.ts'
import { progressId } from '../../ports/composite-keys.ts'
import type { EventLog } from '../../ports/event-log.ts'
import type { Progress } from '../../ports/event-store.ts'
import type { EngineContext } from '../context/index.ts'

/** A system, running or not. */
type StatusSource = Pick<EngineContext, 'plan' | 'catalog' | 'backend'>

/**
 * Counters of one consumer. `accepted = completed + dead + discarded + expired + pending` holds in
 * every consistent read.
 */
export interface ConsumerStatus {
  readonly consumer: string
  /** Events it has reached. */
  readonly accepted: number
  /** Events whose effects are committed. */
  readonly completed: number
  /** Events that are held, without those that have failed. */
  readonly pending: number
  /** Events that have failed: dead letters that nobody has resolved. */
  readonly dead: number
  /** Failed events that were given up for good. */
  readonly discarded: number
  /** Offsets that retention deleted before it reached them. */
  readonly expired: number
  /**
   * Records between its progress and the ends of its topics: an upper bound of the unread records.
   */
  readonly lag: number
}

/** The position of one consumer in one partition. */
export interface ConsumerPosition extends Progress {
  readonly service: string
  readonly rule: string
  /** The end of the partition: the offset of its next record. */
  readonly end: number
  /** Records ahead of it that are still there: an upper bound of the unread records. */
  readonly lag: number
}

/** The positions of all consumers. The counters come from one consistent read, before the ends. */
export async function readPositions({
  catalog,
  backend: { log, store },
}: Pick<StatusSource, 'catalog' | 'backend'>): Promise<readonly ConsumerPosition[]> {
  const consumers = catalog.services.flatMap(({ name: service, rules }) =>
    rules.map(({ id, name: rule, reads }) => ({ id, service, rule, reads })),
  )
  const progress = await store.progress(consumers.map(({ id }) => id))
  const ends = await log.ends([...new Set(consumers.flatMap(({ reads }) => reads))])
  const reached = new Map(progress.map((each) => [progressId(each), each]))
  return consumers.flatMap(({ id, service, rule, reads }) =>
    ends
      .filter(({ topic }) => reads.includes(topic))
      .map(({ topic, partition, first, next: end }) => {
        const counted = reached.get(progressId({ consumer: id, topic, partition })) ?? NO_PROGRESS
        const consumer = `${service}/${rule}`
        const lag = Math.max(0, end - Math.max(first, counted.next))
        return { ...counted, consumer, service, rule, topic, partition, end, lag }
      }),
  )
}

/** How long the first unread record of a consumer has been in the log. */
export async function readWaitedMs(
  log: EventLog,
  { topic, partition, next }: Pick<ConsumerPosition, 'topic' | 'partition' | 'next'>,
  now: number,
): Promise<number> {
  const position = { topic, partition, next }
  const [slice] = await log.read([position], { records: 1, bytes: 1 }, { ms: 0 })
  const [record] = slice?.records ?? []
  return record ? Math.max(0, now - record.storedAt) : 0
}

const NO_PROGRESS = { ...NO_COUNTS, next: 0 }

/** Counters and lag of every consumer. The counters come from one consistent read. */
export async function readConsumerStatus(
  running: Pick<StatusSource, 'catalog' | 'backend'>,
): Promise<readonly ConsumerStatus[]> {
  const totals = new Map<string, Omit<ConsumerStatus, 'consumer'>>()
  for (const { name, rules } of running.catalog.services)
    for (const rule of rules) totals.set(`${name}/${rule.name}`, { ...NO_COUNTS, lag: 0 })
  for (const each of await readPositions(running)) {
    const consumer = `${each.service}/${each.rule}`
    const total = totals.get(consumer)
    totals.set(consumer, {
      accepted: each.accepted + (total?.accepted ?? 0),
      completed: each.completed + (total?.completed ?? 0),
      pending: each.pending + (total?.pending ?? 0),
      dead: each.dead + (total?.dead ?? 0),
      discarded: each.discarded + (total?.discarded ?? 0),
      expired: each.expired + (total?.expired ?? 0),
      lag: each.lag + (total?.lag ?? 0),
    })
  }
  return [...totals].map(([consumer, total]) => ({ consumer, ...total }))
}
