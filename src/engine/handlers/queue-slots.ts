import type { Notifier } from '../../base/time/notifier.ts'
import { createNotifier } from '../../base/time/notifier.ts'
import type { Clock } from '../../base/time/clock.ts'
import { yieldToEventLoop } from '../../base/time/clock.ts'
import type { HandlerRuntime } from './call-handler.ts'
import { callHandler } from './call-handler.ts'
import type { HoldSummary } from '../failure/index.ts'
import { holdKeyOf } from '../failure/index.ts'
import type { Attempt, Delivery } from '../execution/index.ts'

/**
 * The calls of a queue handler. An event takes a slot until its call ends, which may be later than
 * the unit that it was read for: then it is left behind, and held meanwhile.
 */
export interface QueueSlots {
  /**
   * Begins calls in order as slots are free. Returns those begun, once all have ended or the ack
   * time is over; calls that still run say so. Nothing more begins in the second half of the ack
   * time, once the handlers have computed for too long, or once `stopping` aborts.
   */
  run(deliveries: readonly Delivery[], signals: SlotSignals): Promise<readonly Delivery[]>
  /** Applies a committed unit: ended calls free their slots, running ones are left behind. */
  onCommit(deliveries: readonly Delivery[]): void
  /** Holds of left-behind events whose calls have ended. */
  endedHolds(): readonly string[]
  /** Whether the call of a hold's event is running. */
  isBusy(holdKey: string): boolean
  /** Whether all slots are taken. */
  isFull(): boolean
  isIdle(): boolean
  /** Whether a unit has gone on without a call that is not acknowledged yet. */
  hasDetachedCalls(): boolean
  /** Resolves when a call ends, after `waitMs`, or when the signal aborts. */
  waitForChange(waitMs: number, signal: AbortSignal): Promise<void>
  /** Forgets the result of one hold, or all results that no unit has left behind. */
  forget(holdKey?: string): void
  /** Aborts and forgets calls that no longer belong to this instance. */
  retain(isHere: (delivery: Delivery) => boolean): void
  /**
   * Once holds and progress are read again: forgets results that a unit has committed although its
   * answer was lost. `isAhead` says which fresh events will be read again.
   */
  forgetCommitted(isAhead: (delivery: Delivery) => boolean): void
}

export interface SlotSignals {
  /** Begin nothing more; running calls may end. */
  readonly stopping: AbortSignal
  /** Stop waiting. */
  readonly lost: AbortSignal
}

export interface QueueSlotsParts {
  readonly clock: Clock
  readonly concurrency: number
  readonly ackMs: number
  readonly computeMsMax: number
  /**
   * Called with the computing time and the number of deliveries if handlers computed for too long.
   */
  readonly endedEarly: (tookMs: number, deliveries: number) => void
  readonly runtime: HandlerRuntime
  /** Aborts every handler. */
  readonly aborting: AbortSignal
  /** The hold of an event, as committed. */
  readonly holdOf: (holdKey: string) => HoldSummary | undefined
}

interface Slot {
  readonly delivery: Delivery
  readonly holdKey: string
  /** The hold of the event when the call began. */
  readonly heldAs: string | undefined
  readonly aborted: AbortController
  result?: Attempt
  /** Whether a committed unit went on without it. */
  isLeftBehind: boolean
}

export function createQueueSlots(parts: QueueSlotsParts): QueueSlots {
  const { clock, concurrency } = parts
  const slots = new Map<string, Slot>()
  const callEnded = createNotifier(clock)
  /** Aborted calls that still run count as well. */
  let underWay = 0
  const isFull = (): boolean => underWay >= concurrency

  /** The slot that has the delivery already, or a free one that begins its call. */
  function slotFor(delivery: Delivery, mayBegin: boolean, computed: Computed): Slot | undefined {
    const { subscription, record } = delivery
    const holdKey = holdKeyOf(subscription.consumer, record)
    const known = slots.get(holdKey)
    if (known || isFull() || !mayBegin) return known
    const aborted = new AbortController()
    const heldAs = holdText(parts.holdOf(holdKey))
    const isLeftBehind = delivery.held !== undefined
    const slot: Slot = { delivery, holdKey, heldAs, aborted, isLeftBehind }
    slots.set(holdKey, slot)
    underWay += 1
    const signal = AbortSignal.any([parts.aborting, aborted.signal])
    void callHandler(parts.runtime, delivery, signal, computed).then((result) => {
      // A delivery that was not called in time is left, and held for the next start.
      if (result) slot.result = result
      underWay -= 1
      callEnded.notify()
    })
    return slot
  }

  return {
    async run(deliveries, signals) {
      const begun = await runInSlots(deliveries, signals, { ...parts, callEnded, slotFor })
      return begun.map((slot, at) => {
        return { ...(deliveries[at] as Delivery), attempt: slot.result ?? { status: 'running' } }
      })
    },
    onCommit(deliveries) {
      for (const { subscription, record, attempt: last } of deliveries) {
        const holdKey = holdKeyOf(subscription.consumer, record)
        const slot = slots.get(holdKey)
        if (!slot) continue
        if (last?.status === 'running') slot.isLeftBehind = true
        else slots.delete(holdKey)
      }
    },
    endedHolds: () =>
      [...slots.values()]
        .filter((slot) => slot.isLeftBehind && slot.result)
        .map((slot) => slot.holdKey),
    isBusy(holdKey) {
      const slot = slots.get(holdKey)
      return slot !== undefined && !slot.result
    },
    isFull,
    isIdle: () => slots.size === 0,
    hasDetachedCalls: () => [...slots.values()].some(({ isLeftBehind }) => isLeftBehind),
    waitForChange: (waitMs, signal) => callEnded.wait(waitMs, signal),
    forget(holdKey) {
      for (const slot of slots.values())
        if (slot.result && (holdKey === undefined ? !slot.isLeftBehind : slot.holdKey === holdKey))
          slots.delete(slot.holdKey)
    },
    retain: (isHere) => retain(slots, isHere),
    forgetCommitted: (isAhead) => forgetCommitted(slots, parts.holdOf, isAhead),
  }
}

function retain(slots: Map<string, Slot>, isHere: (delivery: Delivery) => boolean): void {
  for (const [holdKey, slot] of slots) {
    if (isHere(slot.delivery)) continue
    slot.aborted.abort()
    slots.delete(holdKey)
  }
}

function forgetCommitted(
  slots: Map<string, Slot>,
  holdOf: QueueSlotsParts['holdOf'],
  isAhead: (delivery: Delivery) => boolean,
): void {
  for (const [holdKey, slot] of slots) {
    const hold = holdOf(holdKey)
    const isSame = holdText(hold) === slot.heldAs && (hold || isAhead(slot.delivery))
    slot.isLeftBehind = hold !== undefined
    // A unit that commits a result also changes the status IN_PROGRESS of the hold.
    if (slot.result && !isSame && hold?.status !== 'IN_PROGRESS') slots.delete(holdKey)
  }
}

function holdText(hold: HoldSummary | undefined): string | undefined {
  return hold && `${hold.status} ${hold.attempts} ${hold.due}`
}

type Computed = (tookMs: number) => void

interface SlotRun extends Omit<QueueSlotsParts, 'concurrency' | 'runtime' | 'holdOf'> {
  /** Notifies when a call ends. */
  readonly callEnded: Notifier
  readonly slotFor: (delivery: Delivery, mayBegin: boolean, computed: Computed) => Slot | undefined
}

/** The slots of the deliveries that were begun, in order, once it is time to acknowledge them. */
async function runInSlots(
  deliveries: readonly Delivery[],
  { stopping, lost }: SlotSignals,
  { clock, ackMs, computeMsMax, endedEarly, aborting, callEnded, slotFor }: SlotRun,
): Promise<readonly Slot[]> {
  const begun: Slot[] = []
  const beganAt = clock.elapsed()
  const leftMs = (of: number): number => beganAt + of - clock.elapsed()
  let computedMs = 0
  const computed = (tookMs: number): void => void (computedMs += tookMs)
  const isOver = (): boolean => computedMs > computeMsMax
  const isEarly = (): boolean => !stopping.aborted && !isOver() && leftMs(ackMs / 2) > 0
  for (;;) {
    while (begun.length < deliveries.length) {
      const slot = slotFor(deliveries[begun.length] as Delivery, isEarly(), computed)
      if (!slot) break
      begun.push(slot)
    }
    const mayBegin = begun.length < deliveries.length && isEarly()
    const isDone = !mayBegin && begun.every(({ result }) => result)
    // During a stop, wait for running calls throughout the grace period.
    const waitMs = stopping.aborted ? ackMs : leftMs(ackMs)
    if (isDone || lost.aborted || aborting.aborted || waitMs <= 0) break
    const untilMs = mayBegin ? Math.max(1, leftMs(ackMs / 2)) : waitMs
    await callEnded.wait(untilMs, AbortSignal.any([lost, aborting]))
  }
  if (isOver() && begun.length < deliveries.length) {
    endedEarly(computedMs, begun.length)
    await yieldToEventLoop(clock)
  }
  return begun
}
