import { createDueQueue } from './due-queue.ts'
import type { HoldRow, HoldStatus } from './hold-row.ts'

/** The part of a hold that is kept in memory. */
export interface HoldSummary extends Pick<
  HoldRow,
  'consumer' | 'key' | 'attempts' | 'since' | 'count' | 'undoneBy'
> {
  readonly status: HoldStatus
  /** When there is something to do, by the delay clock; `Infinity` for never. */
  readonly due: number
  /** It is a dead letter with a hold of its own. */
  readonly isAside?: true
  /** Some of its messages share rows. */
  readonly isPaged?: true
  /** The id and the row of the message in front, if it has failed. */
  readonly deadId?: string
  readonly deadRow?: string
}

/** Whether the hold with this message key may be worked on. */
export type CanWorkOn = (key: string, holdKey: string) => boolean

/** What comes after these statuses is decided without a rule. */
const MOVING: ReadonlySet<HoldStatus> = new Set(['ERROR', 'FAILED'])

/** The holds in memory, by when they are due, and those of dead letters by the id of the message. */
export function createKnownHolds() {
  const known = new Map<string, HoldSummary>()
  const dead = createDeadLetterIndex()
  const [retries, moves] = [createDueQueue(), createDueQueue()]

  function schedule(holdKey: string, { due, status }: HoldSummary): void {
    const [queue, other] = MOVING.has(status) ? [moves, retries] : [retries, moves]
    other.delete(holdKey)
    if (due < Infinity) queue.set(holdKey, due)
    else queue.delete(holdKey)
  }
  const isFreeHold =
    (isFree: CanWorkOn) =>
    (holdKey: string): boolean =>
      isFree(known.get(holdKey)?.key ?? '', holdKey)

  return {
    clear(): void {
      for (const each of [known, dead, retries, moves]) each.clear()
    },
    has: (holdKey: string): boolean => known.has(holdKey),
    get: (holdKey: string): HoldSummary | undefined => known.get(holdKey),
    all: (): Iterable<HoldSummary> => known.values(),
    count: (): number => known.size,
    set(holdKey: string, hold: HoldSummary): void {
      dead.remove(known.get(holdKey))
      known.set(holdKey, hold)
      dead.add(holdKey, hold)
      schedule(holdKey, hold)
    },
    delete(holdKey: string): void {
      dead.remove(known.get(holdKey))
      known.delete(holdKey)
      for (const queue of [retries, moves]) queue.delete(holdKey)
    },
    postpone(holdKey: string, due: number): void {
      const hold = known.get(holdKey)
      if (!hold) return
      const postponed = { ...hold, due }
      known.set(holdKey, postponed)
      schedule(holdKey, postponed)
    },
    deadHoldOf: dead.find,
    deadCount: dead.count,
    hasAside: dead.hasAside,
    dueForRetry: (now: number, limit: number, isFree: CanWorkOn): readonly string[] =>
      retries.due(now, limit, isFreeHold(isFree)),
    dueToMove: (now: number, limit: number, isFree: CanWorkOn): readonly string[] =>
      moves.due(now, limit, isFreeHold(isFree)),
    nextDue(isFree: CanWorkOn): number | undefined {
      const next = [retries, moves].map((queue) => queue.nextDue(isFreeHold(isFree)) ?? Infinity)
      const first = Math.min(...next)
      return first === Infinity ? undefined : first
    },
  }
}

/** The holds whose message in front has failed, by the id of the message. */
function createDeadLetterIndex() {
  const holdKeys = new Map<string, string>()
  const countOf = new Map<string, number>()
  let asideCount = 0

  function change({ consumer, isAside }: HoldSummary, by: 1 | -1): void {
    countOf.set(consumer, (countOf.get(consumer) ?? 0) + by)
    if (isAside) asideCount += by
  }
  return {
    clear(): void {
      holdKeys.clear()
      countOf.clear()
      asideCount = 0
    },
    add(holdKey: string, hold: HoldSummary): void {
      if (hold.deadId === undefined) return
      holdKeys.set(hold.deadId, holdKey)
      change(hold, 1)
    },
    remove(hold: HoldSummary | undefined): void {
      if (hold?.deadId === undefined) return
      holdKeys.delete(hold.deadId)
      change(hold, -1)
    },
    find: (id: string): string | undefined => holdKeys.get(id),
    count: (consumer?: string): number =>
      consumer === undefined ? holdKeys.size : (countOf.get(consumer) ?? 0),
    hasAside: (): boolean => asideCount > 0,
  }
}
