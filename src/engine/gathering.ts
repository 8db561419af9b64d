import type { Clock } from '../base/clock.ts'
import { pause } from '../base/clock.ts'
import type { EventLog, Slice } from '../ports/log.ts'
import type { Claims } from './claims.ts'
import type { DelayClock } from './delay-clock.ts'
import type { DelayedReading } from './delayed-reading.ts'
import { DELAY_STEP_MS } from './delayed-reading.ts'
import type { HeldMessage } from './hold-row.ts'
import { holdKeyOf } from './hold-row.ts'
import type { Holds, IsFree } from './holds.ts'
import type { EngineOptions } from './options.ts'
import type { Group } from './plan.ts'
import type { GroupProgress } from './progress.ts'
import type { Cell, RowCache } from './rows.ts'
import type { Slots } from './slots.ts'
import type { Timers } from './timers.ts'
import type { Item, Turn } from './turn.ts'
import { itemsOf } from './turn.ts'

/** The sources that a group's work is read from. */
export interface Sources {
  readonly group: Group
  readonly log: Pick<EventLog, 'read'>
  readonly clock: Clock
  readonly delays: DelayClock
  readonly options: EngineOptions
  readonly rows: RowCache
  readonly holds: Holds
  readonly timers: Timers
  readonly claims: Claims
  readonly progress: GroupProgress
  /** Only for queues. */
  readonly slots?: Slots
  /** Called with each slice; reports a slice that ends at damage. */
  readonly standing: (slice: Slice) => void
  /** Only for handlers with a delay. */
  readonly delayed?: DelayedReading
}

const HELD_PER_TURN = 64
const HOLDS_PER_TURN = 16
/** Holds of queues: each has one event, which is read by its key. */
const QUEUE_HOLDS_PER_TURN = 256
/** The most events a queue may hold; beyond it, nothing more is read until some are done. */
const QUEUE_HELD_MAX = 10_000
const TIMERS_PER_TURN = 256

/**
 * Collects one batch: due timers, held messages whose retry is due, then new records. Waits for
 * records only if nothing else is due.
 */
export async function gather(sources: Sources, signal: AbortSignal): Promise<Turn> {
  const { delays, holds, timers, claims, rows, progress, group, slots } = sources
  const now = delays.now()
  const ended = slots?.ended() ?? []
  const holdsMax = slots ? QUEUE_HOLDS_PER_TURN : HOLDS_PER_TURN
  const due = new Set([...ended, ...holds.due(now, holdsMax, isFree(sources))])
  const dueTimers = claims.holdsTimers() ? await timers.due(now, TIMERS_PER_TURN) : []
  rows.keep(dueTimers)
  const retried = await heldItems(sources, due)
  const isWaiting = retried.length === 0 && dueTimers.length === 0
  const slices = await read(sources, isWaiting ? waitMs(sources) : 0, signal)
  for (const slice of slices) sources.standing(slice)
  const lost = slices.filter((slice) => slice.lost)
  // Commit the lost range as expired first; the next read returns the remaining records.
  if (lost.length > 0) return { timers: [], items: [], slices: lost.map(upToLost) }
  const fresh = slices.flatMap(({ records }) => records)
  if (slices.length > 1) fresh.sort((a, b) => (a.position ?? 0) - (b.position ?? 0))
  // After a rewind, an event of a queue may be read that is already held.
  const isNew = ({ reaction, record }: Item): boolean =>
    !slots || !holds.isKnown(holdKeyOf(reaction.consumer, record))
  const items = fresh
    .flatMap((record) => itemsOf(group, record))
    .filter((item) => progress.isAhead(item) && isNew(item))
  return { timers: dueTimers, items: [...retried, ...items], slices }
}

/** The messages in front of these holds. */
export async function heldItems(
  sources: Sources,
  holdKeys: Iterable<string>,
): Promise<readonly Item[]> {
  const { holds, slots } = sources
  const items: Item[] = []
  const all = [...holdKeys]
  const firsts = slots && all.length > 0 ? await holds.firsts(all) : []
  for (const [at, holdKey] of all.entries()) {
    const first = firsts[at]
    const cells = first ? [first] : await holds.front(holdKey, HELD_PER_TURN)
    const retries = retriesOf(sources, holdKey, cells)
    if (retries.length === 0) {
      holds.shelve(holdKey)
      slots?.forget(holdKey)
    }
    items.push(...retries)
  }
  return items
}

/** The messages in front of a hold, as deliveries. */
function retriesOf(sources: Sources, holdKey: string, cells: readonly Cell[]): Item[] {
  const { rows, group, progress } = sources
  rows.keep(cells)
  return cells.flatMap((cell, at) => {
    const held = { holdKey, key: cell.key, isFirst: at === 0 }
    return itemsOf(group, cell.value as HeldMessage)
      .filter(({ reaction }) => holdKey.startsWith(`${reaction.consumer.id}:`))
      .map((item) => ({ ...item, held }))
      .filter(progress.isAhead)
  })
}

function upToLost(slice: Slice): Slice {
  return { ...slice, records: [], next: slice.lost?.to ?? slice.next }
}

async function read(sources: Sources, ms: number, signal: AbortSignal): Promise<readonly Slice[]> {
  const { log, clock, options, claims, progress, holds, slots } = sources
  const from = progress.positions(claims.holds)
  const max = { records: options.unitRecordsMax, bytes: options.unitBytesMax }
  const isFull = slots !== undefined && (slots.isFull() || holds.count() >= QUEUE_HELD_MAX)
  return unlessEnded(sources, ms, signal, async (waitMs, until) => {
    if (from.length > 0 && !isFull)
      return onlyDue(
        sources,
        await log.read(from, max, { ms: waitMs, signal: until }),
        waitMs,
        until,
      )
    await pause(clock, waitMs, until)
    return []
  })
}

/** Waits, but no longer than until a handler call that was left behind ends. */
async function unlessEnded<T>(
  { slots }: Sources,
  ms: number,
  signal: AbortSignal,
  wait: (ms: number, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (!slots || slots.isIdle()) return wait(ms, signal)
  const [over, woken] = [new AbortController(), new AbortController()]
  const isEnded = slots.ended().length > 0
  const ending = slots.changed(ms, AbortSignal.any([signal, over.signal]))
  void ending.then(() => woken.abort())
  try {
    return await wait(isEnded ? 0 : ms, AbortSignal.any([signal, woken.signal]))
  } finally {
    over.abort()
  }
}

/** The records that are due. If there are none, waits for the first one. */
async function onlyDue(
  { clock, delayed }: Sources,
  slices: readonly Slice[],
  ms: number,
  signal: AbortSignal,
): Promise<readonly Slice[]> {
  if (!delayed) return slices
  const due = delayed.due(slices)
  const isMore = due.slices.some(({ records, lost }) => records.length > 0 || lost)
  if (isMore || due.leftMs === Infinity) return due.slices
  if (ms > 0) await pause(clock, Math.max(DELAY_STEP_MS, Math.min(ms, due.leftMs)), signal)
  return []
}

/** Whether this instance may work on the messages of a hold, and is not doing so already. */
function isFree({ claims, progress, slots }: Sources): IsFree {
  return (key, holdKey) =>
    claims.holds({ resource: progress.resourceOf(key) }) && !slots?.isBusy(holdKey)
}

function waitMs(sources: Sources): number {
  const { clock, delays, holds, timers, claims, options } = sources
  const timerDue = claims.holdsTimers() ? timers.nextDue() : Infinity
  const rowDue = Math.min(holds.nextDue(isFree(sources)) ?? Infinity, timerDue)
  const soonestMs = Math.min(rowDue - delays.now(), claims.beatDue() - clock.elapsed())
  return Math.max(1, Math.min(options.idleMs, soonestMs))
}
