import type { Bell } from '../base/bell.ts'
import { bell } from '../base/bell.ts'
import type { Clock } from '../base/clock.ts'
import { breathe } from '../base/clock.ts'
import type { Attempt, Calling } from './handle.ts'
import { attempt } from './handle.ts'
import { holdKeyOf } from './holds.ts'
import type { Item } from './turn.ts'

/**
 * What a handler without order is working on. An event takes a slot until it has ended, which may
 * be longer than the unit that it was read for: then it has been left, and is held meanwhile.
 */
export interface Slots {
  /**
   * Begins with items in their order, as slots are free, and answers those that were begun, once
   * all of them have ended, or after the time that acks may wait. What is still under way then says
   * so. Nothing more is begun in the second half of that time, once the handlers have computed for
   * too long, or once `stopping` aborts.
   */
  work(items: readonly Item[], signals: Signals): Promise<readonly Item[]>
  /** Takes over what a unit has committed: what is done gives up its slot, what goes on is left. */
  committed(items: readonly Item[]): void
  /** Holds of events that were left and have ended since. */
  ended(): readonly string[]
  /** Whether a hold's event is being worked on. */
  isBusy(holdKey: string): boolean
  /** Whether nothing more can be begun. */
  isFull(): boolean
  isIdle(): boolean
  /** Whether a unit has gone on without something that is not acknowledged yet. */
  hasLeft(): boolean
  /** Resolves when one ends, after `waitMs`, or when the signal aborts. */
  changed(waitMs: number, signal: AbortSignal): Promise<void>
  /** Forgets a result that nothing waits for, or all that no unit has left. */
  forget(holdKey?: string): void
  /** Aborts and forgets what is no longer this instance's to work on. */
  keep(isHere: (item: Item) => boolean): void
}

export interface Signals {
  /** Nothing more is begun; what was begun may end. */
  readonly stopping: AbortSignal
  /** Nothing is waited for any more. */
  readonly lost: AbortSignal
}

export interface SlotsParts {
  readonly clock: Clock
  readonly concurrency: number
  readonly ackMs: number
  readonly computeMsMax: number
  /** Hears how long handlers have computed where that was too long, on how many items. */
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
  /** What was aborted and goes on all the same counts, too. */
  let underWay = 0
  const isFull = (): boolean => underWay >= concurrency

  /** The slot that has the item already, or a free one that begins with it. */
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
      // What was not called in time is left, and held for the next start.
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
        return { ...(items[at] as Item), attempt: slot.result ?? { is: 'under way' } }
      })
    },
    committed(items) {
      for (const { reaction, record, attempt: last } of items) {
        const holdKey = holdKeyOf(reaction.consumer, record)
        const slot = slots.get(holdKey)
        if (!slot) continue
        if (last?.is === 'under way') slot.isLeft = true
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
  /** Rings when one ends. */
  readonly ends: Bell
  readonly slotFor: (item: Item, mayBegin: boolean, computed: Computed) => Slot | undefined
}

/** The slots of those items that were begun, in order, once it is time to acknowledge them. */
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
    // A stop waits for what was begun for as long as it has grace.
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
