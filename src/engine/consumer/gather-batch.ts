import type { Clock } from '../../base/time/clock.ts'
import { sleep } from '../../base/time/clock.ts'
import type { EventLog, Slice } from '../../ports/event-log.ts'
import type { Claims } from './claims.ts'
import type { Leases } from './leases.ts'
import type { DelayClock, DelayFilter } from '../delays/index.ts'
import { DELAY_STEP_MS } from '../delays/index.ts'
import type { Edits, HeldMessage, Holds, CanWorkOn, RedriveRate } from '../failure/index.ts'
import { placeHoldKey } from '../failure/index.ts'
import type { EngineOptions } from '../context/index.ts'
import type { ConsumerGroup } from '../plan/index.ts'
import type { GroupProgress } from './group-progress.ts'
import type { CachedRow, RowCache } from '../rows/index.ts'
import type { QueueSlots } from '../handlers/index.ts'
import type { DueTimers } from './due-timers.ts'
import { EMPTY_BATCH, createDeliveries } from '../execution/index.ts'
import type { Delivery, Batch, ScheduledHold } from '../execution/index.ts'

/** The sources that a group's work is read from. */
export interface BatchSources {
  readonly group: ConsumerGroup
  readonly log: Pick<EventLog, 'read'>
  readonly clock: Clock
  readonly delays: DelayClock
  readonly options: EngineOptions
  readonly rows: RowCache
  readonly holds: Holds
  readonly edits: Edits
  /** How fast policies redrive dead letters. */
  readonly redriveRate: RedriveRate
  readonly timers: DueTimers
  readonly leases: Leases
  readonly progress: GroupProgress
  readonly claims: Claims
  /** Only for queues. */
  readonly slots?: QueueSlots
  /** Called with each slice; reports a slice that ends at damage. */
  readonly reportDamage: (slice: Slice) => void
  /** Only for handlers with a delay. */
  readonly delayed?: DelayFilter
}

const HELD_PER_BATCH = 64
const HOLDS_PER_BATCH = 16
/** Holds whose message moves on without a rule: that takes little time. */
const MOVES_PER_BATCH = 256
/** Holds of queues: each has one event, which is read by its key. */
const QUEUE_HOLDS_PER_BATCH = 256
/** Events of a queue that may wait for a retry. Beyond that, nothing is read until some are done. */
const QUEUE_HELD_MAX = 10_000
const TIMERS_PER_BATCH = 256
/** When to look again at a dead letter whose policy has redriven enough for now. */
const RATE_LIMITED_MS = 200

/**
 * Collects one batch: due timers, held messages whose retry is due, then new records. Waits for
 * records only if nothing else is due.
 */
export async function gatherBatch(sources: BatchSources, signal: AbortSignal): Promise<Batch> {
  const { delays, edits, holds, timers, leases, rows, progress, group, slots } = sources
  const now = delays.now()
  const ended = slots?.endedHolds() ?? []
  const holdsMax = slots ? QUEUE_HOLDS_PER_BATCH : HOLDS_PER_BATCH
  const isFree = createIsFree(sources)
  const scheduled = await takeScheduled(sources, holds.dueToMove(now, MOVES_PER_BATCH, isFree))
  const due = new Set([...ended, ...holds.dueForRetry(now, holdsMax, isFree)])
  const dueTimers = leases.holdsTimerLease() ? await timers.due(now, TIMERS_PER_BATCH) : []
  rows.put(dueTimers)
  const { deliveries: retried, pages } = await heldDeliveries(sources, due)
  scheduled.push(...pages)
  const isWaiting = retried.length + dueTimers.length + scheduled.length === 0
  const slices = await readSlices(sources, isWaiting ? idleWaitMs(sources) : 0, signal)
  for (const slice of slices) sources.reportDamage(slice)
  const lost = slices.filter((slice) => slice.lost)
  // Commit the lost range as expired first; the next read returns the remaining records.
  if (lost.length > 0) return { ...EMPTY_BATCH, slices: lost.map(endingAtLoss) }
  const fresh = slices.flatMap(({ records }) => records)
  if (slices.length > 1) fresh.sort((a, b) => (a.position ?? 0) - (b.position ?? 0))
  // After a rewind, an event may be read that has a hold of its own already.
  const isNew = ({ subscription, record }: Delivery): boolean =>
    !(slots || holds.hasAside()) || !holds.isKnown(placeHoldKey(subscription.consumer, record))
  const deliveries = fresh
    .flatMap((record) => createDeliveries(group, record, edits.editedRecord))
    .filter((delivery) => progress.isAhead(delivery) && isNew(delivery))
  return { timers: dueTimers, scheduled, deliveries: [...retried, ...deliveries], slices }
}

/** The holds whose message in front moves on without a rule, with its row. */
async function takeScheduled(
  { delays, holds, redriveRate }: BatchSources,
  due: readonly string[],
): Promise<ScheduledHold[]> {
  const scheduled: ScheduledHold[] = []
  for (const holdKey of due) {
    const { status, consumer = '' } = holds.summary(holdKey) ?? {}
    if (status === 'FAILED' && !redriveRate.take(consumer)) {
      holds.postpone(holdKey, delays.now() + RATE_LIMITED_MS)
      continue
    }
    const [front] = (await holds.front(holdKey, 1)).messages
    if (front) scheduled.push({ holdKey, front: front.key })
    else holds.suspend(holdKey)
  }
  return scheduled
}

/** What is in front of holds: messages, or pages that are to be unpacked first. */
export interface HeldFronts {
  readonly deliveries: readonly Delivery[]
  readonly pages: readonly ScheduledHold[]
}

export async function heldDeliveries(
  sources: BatchSources,
  holdKeys: Iterable<string>,
): Promise<HeldFronts> {
  const { holds, slots } = sources
  const deliveries: Delivery[] = []
  const pages: ScheduledHold[] = []
  const all = [...holdKeys]
  const firsts = slots && all.length > 0 ? await holds.firstMessagePerHold(all) : []
  for (const [at, holdKey] of all.entries()) {
    const first = firsts[at]
    const front = first ? { messages: [first] } : await holds.front(holdKey, HELD_PER_BATCH)
    if (front.page !== undefined) {
      pages.push({ holdKey, front: front.page, isPage: true })
      continue
    }
    const retries = retryDeliveries(sources, holdKey, front.messages)
    if (retries.length === 0) {
      holds.suspend(holdKey)
      slots?.forget(holdKey)
    }
    deliveries.push(...retries)
  }
  return { deliveries, pages }
}

/** The messages in front of a hold, as deliveries. */
function retryDeliveries(
  sources: BatchSources,
  holdKey: string,
  cachedRows: readonly CachedRow[],
): Delivery[] {
  const { edits, rows, group, progress } = sources
  rows.put(cachedRows)
  return cachedRows.flatMap((row, at) => {
    const held = { holdKey, key: row.key, isFirst: at === 0 }
    return createDeliveries(group, row.value as HeldMessage, edits.editedRecord)
      .filter(({ subscription }) => holdKey.startsWith(`${subscription.consumer.id}:`))
      .map((delivery) => ({ ...delivery, held }))
      .filter(progress.isAhead)
  })
}

function endingAtLoss(slice: Slice): Slice {
  return { ...slice, records: [], next: slice.lost?.to ?? slice.next }
}

async function readSlices(
  sources: BatchSources,
  ms: number,
  signal: AbortSignal,
): Promise<readonly Slice[]> {
  const { log, clock, options, leases, progress, holds, slots } = sources
  const from = progress.positions(leases.holds)
  const max = { records: options.unitRecordsMax, bytes: options.unitBytesMax }
  const isFull =
    slots !== undefined && (slots.isFull() || holds.count() - holds.deadCount() >= QUEUE_HELD_MAX)
  return untilHandlerEnds(sources, ms, signal, async (waitMs, until) => {
    if (from.length > 0 && !isFull)
      return keepDue(
        sources,
        await log.read(from, max, { ms: waitMs, signal: until }),
        waitMs,
        until,
      )
    await sleep(clock, waitMs, until)
    return []
  })
}

/** Waits, but no longer than until a handler call that was left behind ends. */
async function untilHandlerEnds<T>(
  { slots }: BatchSources,
  ms: number,
  signal: AbortSignal,
  wait: (ms: number, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (!slots || slots.isIdle()) return wait(ms, signal)
  const [over, handlerEnded] = [new AbortController(), new AbortController()]
  const isEnded = slots.endedHolds().length > 0
  const ending = slots.waitForChange(ms, AbortSignal.any([signal, over.signal]))
  void ending.then(() => handlerEnded.abort())
  try {
    return await wait(isEnded ? 0 : ms, AbortSignal.any([signal, handlerEnded.signal]))
  } finally {
    over.abort()
  }
}

/** The records that are due. If there are none, waits for the first one. */
async function keepDue(
  { clock, delayed }: BatchSources,
  slices: readonly Slice[],
  ms: number,
  signal: AbortSignal,
): Promise<readonly Slice[]> {
  if (!delayed) return slices
  const due = delayed.due(slices)
  const isMore = due.slices.some(({ records, lost }) => records.length > 0 || lost)
  if (isMore || due.leftMs === Infinity) return due.slices
  if (ms > 0) await sleep(clock, Math.max(DELAY_STEP_MS, Math.min(ms, due.leftMs)), signal)
  return []
}

/** Whether this instance may work on the messages of a hold, and is not doing so already. */
function createIsFree({ leases, progress, slots }: BatchSources): CanWorkOn {
  return (key, holdKey) =>
    leases.holds({ resource: progress.resourceForKey(key) }) && !slots?.isBusy(holdKey)
}

function idleWaitMs(sources: BatchSources): number {
  const { clock, delays, holds, timers, leases, options } = sources
  const timerDue = leases.holdsTimerLease() ? timers.nextDue() : Infinity
  const rowDue = Math.min(holds.nextDue(createIsFree(sources)) ?? Infinity, timerDue)
  const soonestMs = Math.min(rowDue - delays.now(), leases.heartbeatDueAt() - clock.elapsed())
  return Math.max(1, Math.min(options.idleMs, soonestMs))
}
