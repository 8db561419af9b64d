import type { Clock } from '../../base/time/clock.ts'
import { Fault } from '../../base/errors/fault.ts'
import type { EventStore, RowKey } from '../../ports/event-store.ts'
import type { ExclusivePermit } from './exclusive-permit.ts'
import type { Holds } from './holds.ts'
import type { ConsumerGroup } from '../plan/index.ts'
import { controlTable } from '../plan/index.ts'
import { updateRow } from '../rows/index.ts'
import type { Delivery, Batch } from '../execution/index.ts'
import { EMPTY_BATCH } from '../execution/index.ts'

/**
 * Finds the message that crashes its process. While a group works it has a row, which a clean stop
 * deletes. If the row exists at the next start, the process has crashed: from then on, deliveries
 * are written into the row before they begin. Those in progress at another crash are suspects: each
 * begins alone and is counted, and one that has not completed within `crashAttemptsMax` attempts
 * becomes a dead letter, so that all others go on. A clean stop resets the counts.
 */
export interface CrashGuard {
  /**
   * Records what is about to begin, and returns the part of the batch to work on now; the rest is
   * read again.
   *
   * @throws Fault `STORE_UNKNOWN`
   */
  begin(batch: Batch): Promise<Batch>
  /** Applies a committed unit. */
  onCommit(batch: Batch): void
  /** Ends the work that `begin` began, except for handler calls that were left behind. */
  endBatch(): void
  /** Records a clean stop of the group. */
  recordCleanStop(): Promise<void>
}

export interface CrashGuardParts {
  readonly store: EventStore
  readonly clock: Clock
  readonly group: ConsumerGroup
  readonly holds: Pick<Holds, 'suspend'>
  readonly progress: {
    hasPassed(consumer: string, topic: string, partition: number, offset: number): boolean
  }
  readonly permit: ExclusivePermit
  readonly options: {
    readonly idleMs: number
    readonly retryDelayMs: number
    readonly crashAttemptsMax: number
    readonly unitRecordsMax: number
  }
}

/** The stored row: deliveries in progress, with how often each was begun alone. */
interface CrashGuardRow {
  readonly inHand: Readonly<Record<string, number>>
}

/** Deliveries that begin alone right after a crash: one of the first is its likely cause. */
const ALONE_AFTER_CRASH = 32

export function createCrashGuard(parts: CrashGuardParts): CrashGuard {
  const { permit, group, holds, options } = parts
  const row = inHandRow(parts)
  const suspects = createSuspects()
  /** Deliveries that are held because they crashed the process too often. */
  const heldSuspects = new Set<string>()
  let isUnclean: boolean | undefined
  /** Deliveries that are still recorded before they begin, beside retries. */
  let watchedLeft = options.unitRecordsMax
  /** Whether the row contains more than the suspects. */
  let hasWatched = false

  async function load(): Promise<boolean> {
    const before = await row.read()
    if (before) suspects.load(before, createIsPassed(parts.progress))
    else await row.write({ inHand: {} })
    hasWatched = before !== undefined
    return before !== undefined
  }

  /** Holds a suspect with an error once; after that, it waits for a start after a clean stop. */
  function holdSuspect(delivery: Delivery, count: number): Batch {
    const name = deliveryName(delivery)
    if (heldSuspects.has(name) && delivery.held) {
      holds.suspend(delivery.held.holdKey)
      return EMPTY_BATCH
    }
    heldSuspects.add(name)
    const failed = { ...delivery, fault: processEndedFault(delivery, count) }
    return { ...EMPTY_BATCH, deliveries: [failed] }
  }

  /** Begins several deliveries together, none of them a suspect. */
  async function beginTogether(batch: Batch): Promise<Batch> {
    const end = batch.deliveries.findIndex((delivery) => suspects.has(delivery))
    const part = end < 0 ? batch : firstDeliveries(batch, end)
    // Retries are few, and any of them may have caused the crash.
    const watched = part.deliveries.filter(({ held }) => held !== undefined || watchedLeft > 0)
    watchedLeft = Math.max(0, watchedLeft - part.deliveries.length)
    if (watched.length > 0 || hasWatched) await row.write(suspects.inHand(watched, 0))
    hasWatched = watched.length > 0
    return part
  }

  return {
    async begin(batch) {
      const [first] = batch.deliveries
      if (!first) return batch
      isUnclean ??= await load()
      if (!isUnclean) return batch
      const count = suspects.countOf(first)
      if (count === undefined) return beginTogether(batch)
      if (count >= options.crashAttemptsMax) return holdSuspect(first, count)
      // Timers and holds that move on need no permit, since no rule runs for them.
      if (batch.timers.length + batch.scheduled.length > 0) return withoutRules(batch)
      if (!(await permit.acquire(group.id, options.idleMs))) return EMPTY_BATCH
      await row.write(suspects.inHand([first], count + 1))
      return { ...EMPTY_BATCH, deliveries: [first] }
    },
    onCommit({ deliveries }) {
      if (!suspects.isEmpty())
        for (const delivery of deliveries)
          if (!heldSuspects.has(deliveryName(delivery))) suspects.committed(delivery)
    },
    endBatch: () => void (suspects.isRunning() || permit.release(group.id)),
    async recordCleanStop() {
      if (isUnclean !== undefined) await row.write(undefined)
    },
  }
}

function withoutRules({ timers, scheduled }: Batch): Batch {
  return { ...EMPTY_BATCH, timers, scheduled }
}

function firstDeliveries(batch: Batch, count: number): Batch {
  return { ...batch, deliveries: batch.deliveries.slice(0, count), slices: [] }
}

/** A delivery that its consumer has passed was handled or held. */
function createIsPassed(progress: CrashGuardParts['progress']): (name: string) => boolean {
  return (name) => {
    const [, consumer, topic, partition, offset] = DELIVERY_NAME.exec(name) ?? []
    if (consumer === undefined || topic === undefined) return true
    return progress.hasPassed(consumer, topic, Number(partition), Number(offset))
  }
}

/** Deliveries to begin alone, with how often each was begun. */
function createSuspects() {
  const counts = new Map<string, number>()
  const running = new Set<string>()
  let aloneLeft = ALONE_AFTER_CRASH
  return {
    /** Of deliveries that did not begin alone, only unfinished ones can have caused the crash. */
    load({ inHand }: CrashGuardRow, isPassed: (name: string) => boolean): void {
      const all = Object.entries(inHand)
      for (const [name, count] of all) if (count > 0 || !isPassed(name)) counts.set(name, count)
      if (all.length > 0) aloneLeft = 0
    },
    isRunning: (): boolean => running.size > 0,
    isEmpty: (): boolean => counts.size === 0,
    has: (delivery: Delivery): boolean => counts.has(deliveryName(delivery)),
    /** How often the delivery was begun alone; `undefined` if it need not be. */
    countOf(delivery: Delivery): number | undefined {
      const name = deliveryName(delivery)
      const count = counts.get(name)
      if (count !== undefined || aloneLeft === 0) return count
      aloneLeft -= 1
      counts.set(name, 0)
      return 0
    },
    inHand: (deliveries: readonly Delivery[], count: number): CrashGuardRow => {
      const begun = deliveries.map((delivery) => [deliveryName(delivery), count] as const)
      return { inHand: Object.fromEntries([...counts, ...begun]) }
    },
    committed(delivery: Delivery): void {
      const name = deliveryName(delivery)
      const count = counts.get(name)
      if (count === undefined) return
      // A call that its unit left behind is still in progress.
      const isLeft = delivery.attempt?.status === 'running'
      if (isLeft) counts.set(name, count + 1)
      else counts.delete(name)
      if (isLeft) running.add(name)
      else running.delete(name)
    },
  }
}

function inHandRow({ store, clock, group, options }: CrashGuardParts) {
  const { id, name, service } = group
  const key: RowKey = { table: controlTable(service), key: `unended:${id}` }
  const parts = { store, clock, retryDelayMs: options.retryDelayMs }
  return {
    async read(): Promise<CrashGuardRow | undefined> {
      const [before] = await store.get([key])
      return before && (JSON.parse(before.body) as CrashGuardRow)
    },
    write: (value: CrashGuardRow | undefined): Promise<void> =>
      updateRow(parts, key, `the deliveries that ${name} has begun`, () =>
        value ? JSON.stringify(value) : null,
      ),
  }
}

const DELIVERY_NAME = /^(\S+) (\S+)\/(\d+)@(\d+)$/
const deliveryName = ({ subscription, record: { topic, partition, offset } }: Delivery): string =>
  `${subscription.consumer.id} ${topic}/${partition}@${offset}`

function processEndedFault({ subscription, record }: Delivery, count: number): Fault {
  const { id, key, topic, type } = record
  const detail = `${subscription.consumer.name} on ${type} ${id}, in each of ${count} attempts`
  return new Fault('PROCESS_ENDED', { detail, ids: { id, key, topic } })
}
