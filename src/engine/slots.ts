import type { Bell } from '../base/bell.ts'
import { bell } from '../base/bell.ts'
import type { Clock } from '../base/clock.ts'
import { breathe } from '../base/clock.ts'
import type { Attempt, Calling } from './handle.ts'
import { attempt } from './handle.ts'
import { holdKeyOf } from './hold-row.ts'
import type { Item } from './turn.ts'

/**
 * The calls of a queue handler. An event takes a slot until its call ends, which may be later than
 * the unit that it was read for: then it is left behind, and held meanwhile.
 */
export interface Slots {
  /**
   * Begins calls in order as slots are free. Returns those begun, once all have ended or the ack
   * time is over; calls that still run say so. Nothing more begins in the second half of the ack
   * time, once the handlers have computed for too long, or once `stopping` aborts.
   */
  work(items: readonly Item[], signals: Signals): Promise<readonly Item[]>
  /** Applies a committed unit: ended calls free their slots, running ones are left behind. */
  committed(items: readonly Item[]): void
  /** Holds of left-behind events whose calls have ended. */
  ended(): readonly string[]
  /** Whether the call of a hold's event is running. */
  isBusy(holdKey: string): boolean
  /** Whether all slots are taken. */
  isFull(): boolean
  isIdle(): boolean
  /** Whether a unit has gone on without a call that is not acknowledged yet. */
  hasLeft(): boolean
  /** Resolves when a call ends, after `waitMs`, or when the signal aborts. */
  changed(waitMs: number, signal: AbortSignal): Promise<void>
  /** Forgets the result of one hold, or all results that no unit has left behind. */
  forget(holdKey?: string): void
  /** Aborts and forgets calls that no longer belong to this instance. */
  keep(isHere: (item: Item) => boolean): void
}

export interface Signals {
  /** Begin nothing more; running calls may end. */
  readonly stopping: AbortSignal
  /** Stop waiting. */
  readonly lost: AbortSignal
}

export interface SlotsParts {
  readonly clock: Clock
  readonly concurrency: number
  readonly ackMs: number
  readonly computeMsMax: number
  /**
   * Called with the computing time and the number of deliveries if handlers computed for too long.
   */
  readonly endedEarly: (tookMs: number, items: number) => void
  readonly calling: Calling
  /** Aborts every handler. */
  readonly aborting: AbortSignal
}

interface Slot {
  readonly item: Item
  readonly holdKey: string
  readonly aborted: AbortController
  result?: Attempt
  /** Whether a committed unit went on without it. */
  isLeft: boolean
}

export function slotsOf(parts: SlotsParts): Slots {
  const { clock, concurrency } = parts
  const slots = new Map<string, Slot>()
  const ends = bell(clock)
  /** Aborted calls that still run count as well. */
  let underWay = 0
  const isFull = (): boolean => underWay >= concurrency

  /** The slot that has the delivery already, or a free one that begins its call. */
  function slotFor(item: Item, mayBegin: boolean, computed: Computed): Slot | undefined {
    const { reaction, record } = item
    const holdKey = holdKeyOf(reaction.consumer, record)
    const known = slots.get(holdKey)
    if (known || isFull() || !mayBegin) return known
    const aborted = new AbortController()
    const slot: Slot = { item, holdKey, aborted, isLeft: item.held !== undefined }
    slots.set(holdKey, slot)
    underWay += 1
    const signal = AbortSignal.any([parts.aborting, aborted.signal])
    void attempt(parts.calling, item, signal, computed).then((result) => {
      // A delivery that was not called in time is left, and held for the next start.
      if (result) slot.result = result
      underWay -= 1
      ends.ring()
    })
    return slot
  }

  return {
    async work(items, signals) {
      const begun = await workThrough(items, signals, { ...parts, ends, slotFor })
      return begun.map((slot, at) => {
        return { ...(items[at] as Item), attempt: slot.result ?? { is: 'running' } }
      })
    },
    committed(items) {
      for (const { reaction, record, attempt: last } of items) {
        const holdKey = holdKeyOf(reaction.consumer, record)
        const slot = slots.get(holdKey)
        if (!slot) continue
        if (last?.is === 'running') slot.isLeft = true
        else slots.delete(holdKey)
      }
    },
    ended: () =>
      [...slots.values()].filter((slot) => slot.isLeft && slot.result).map((slot) => slot.holdKey),
    isBusy(holdKey) {
      const slot = slots.get(holdKey)
      return slot !== undefined && !slot.result
    },
    isFull,
    isIdle: () => slots.size === 0,
    hasLeft: () => [...slots.values()].some(({ isLeft }) => isLeft),
    changed: (waitMs, signal) => ends.wait(waitMs, signal),
    forget(holdKey) {
      for (const slot of slots.values())
        if (slot.result && (holdKey === undefined ? !slot.isLeft : slot.holdKey === holdKey))
          slots.delete(slot.holdKey)
    },
    keep(isHere) {
      for (const [holdKey, slot] of slots) {
        if (isHere(slot.item)) continue
        slot.aborted.abort()
        slots.delete(holdKey)
      }
    },
  }
}

type Computed = (tookMs: number) => void

interface Working extends Omit<SlotsParts, 'concurrency' | 'calling'> {
  /** Notifies when a call ends. */
  readonly ends: Bell
  readonly slotFor: (item: Item, mayBegin: boolean, computed: Computed) => Slot | undefined
}

/** The slots of the deliveries that were begun, in order, once it is time to acknowledge them. */
async function workThrough(
  items: readonly Item[],
  { stopping, lost }: Signals,
  { clock, ackMs, computeMsMax, endedEarly, aborting, ends, slotFor }: Working,
): Promise<readonly Slot[]> {
  const begun: Slot[] = []
  const beganAt = clock.elapsed()
  const leftMs = (of: number): number => beganAt + of - clock.elapsed()
  let computedMs = 0
  const computed = (tookMs: number): void => void (computedMs += tookMs)
  const isOver = (): boolean => computedMs > computeMsMax
  const isEarly = (): boolean => !stopping.aborted && !isOver() && leftMs(ackMs / 2) > 0
  for (;;) {
    while (begun.length < items.length) {
      const slot = slotFor(items[begun.length] as Item, isEarly(), computed)
      if (!slot) break
      begun.push(slot)
    }
    const mayBegin = begun.length < items.length && isEarly()
    const isDone = !mayBegin && begun.every(({ result }) => result)
    // During a stop, wait for running calls throughout the grace period.
    const waitMs = stopping.aborted ? ackMs : leftMs(ackMs)
    if (isDone || lost.aborted || aborting.aborted || waitMs <= 0) break
    const untilMs = mayBegin ? Math.max(1, leftMs(ackMs / 2)) : waitMs
    await ends.wait(untilMs, AbortSignal.any([lost, aborting]))
  }
  if (isOver() && begun.length < items.length) {
    endedEarly(computedMs, begun.length)
    await breathe(clock)
  }
  return begun
}
