import type { Clock } from '../base/clock.ts'
import { pause } from '../base/clock.ts'
import type { EventLog, Slice } from '../ports/log.ts'
import type { Claims } from './claims.ts'
import type { HeldRow, Holds } from './holds.ts'
import { holdKeyOf } from './holds.ts'
import type { EngineOptions } from './options.ts'
import type { Group } from './plan.ts'
import type { GroupProgress } from './progress.ts'
import type { RowCache } from './rows.ts'
import type { Timers } from './timers.ts'
import type { Item, Turn } from './turn.ts'
import { itemsOf } from './turn.ts'

/** Where a group's work comes from. */
export interface Sources {
  readonly group: Group
  readonly log: EventLog
  readonly clock: Clock
  readonly options: EngineOptions
  readonly rows: RowCache
  readonly holds: Holds
  readonly timers: Timers
  readonly claims: Claims
  readonly progress: GroupProgress
}

const HELD_PER_TURN = 64
const HOLDS_PER_TURN = 16
const TIMERS_PER_TURN = 256

/**
 * Collects the work of one turn: timers that are due, held messages whose retry is due, then what
 * the partitions have. Waits for records only when nothing else is due.
 */
export async function gather(sources: Sources, signal: AbortSignal): Promise<Turn> {
  const { clock, holds, timers, claims, rows, progress, group } = sources
  const now = clock.now()
  const due = holds.due(now, HOLDS_PER_TURN, isHere(sources))
  const dueTimers = claims.holdsTimers() ? await timers.due(now, TIMERS_PER_TURN) : []
  rows.keep(dueTimers)
  const retried: Item[] = []
  for (const holdKey of due) {
    const retries = await retriesOf(sources, holdKey)
    if (retries.length === 0) holds.shelve(holdKey)
    retried.push(...retries)
  }
  const isWaiting = retried.length === 0 && dueTimers.length === 0
  const slices = await read(sources, isWaiting ? waitMs(sources, now) : 0, signal)
  const fresh = slices.flatMap(({ records }) => records)
  if (slices.length > 1) fresh.sort((a, b) => (a.position ?? 0) - (b.position ?? 0))
  const items = fresh.flatMap((record) => itemsOf(group, record)).filter(progress.isAhead)
  return { timers: dueTimers, items: [...retried, ...items], slices }
}

/** The messages in front of a hold. */
async function retriesOf({ holds, rows, group }: Sources, holdKey: string): Promise<Item[]> {
  const cells = await holds.front(holdKey, HELD_PER_TURN)
  rows.keep(cells)
  return cells.flatMap((cell, at) => {
    const record = cell.value as HeldRow
    const held = { holdKey, key: cell.key, isFirst: at === 0 }
    return itemsOf(group, record)
      .filter(({ reaction }) => holdKeyOf(reaction.consumer, record.key) === holdKey)
      .map((item) => ({ ...item, held }))
  })
}

async function read(
  { log, clock, options, claims, progress }: Sources,
  ms: number,
  signal: AbortSignal,
): Promise<readonly Slice[]> {
  const from = progress.positions(claims.holds)
  const max = { records: options.unitRecordsMax, bytes: options.unitBytesMax }
  if (from.length > 0) return log.read(from, max, { ms, signal })
  await pause(clock, ms, signal)
  return []
}

/** Whether a key's messages are this instance's to work on. */
function isHere({ claims, progress }: Sources): (key: string) => boolean {
  return (key) => claims.holds({ resource: progress.resourceOf(key) })
}

function waitMs(sources: Sources, now: number): number {
  const { holds, timers, claims, options } = sources
  const timerDue = claims.holdsTimers() ? timers.nextDue() : Infinity
  const soonest = Math.min(holds.nextDue(isHere(sources)) ?? Infinity, timerDue, claims.beatDue())
  return Math.max(1, Math.min(options.idleMs, soonest - now))
}
