import { sleep } from '../../base/time/clock.ts'
import { consumedEventKey } from '../../ports/composite-keys.ts'
import { EMPTY_UNIT } from '../../ports/empty-unit.ts'
import type { EventStore } from '../../ports/event-store.ts'
import type { EventStatus, Status, StatusChange } from '../../ports/status.ts'
import type { EngineContext } from '../context/index.ts'
import type { Delivery } from '../execution/index.ts'
import type { Holds } from '../failure/index.ts'
import { createStatusChange, placeHoldKey } from '../failure/index.ts'
import type { Consumer, ConsumerGroup } from '../plan/index.ts'
import type { Leases } from './leases.ts'

/**
 * The events of an ordered handler whose calls run for longer than the ack time: the store has the status
 * IN_PROGRESS of each. A short call costs no row. A queue holds the event of a long call, and stores the
 * status with the hold.
 */
export interface Claims {
  /** Reads what is in progress, here or in a process that has ended. */
  load(): Promise<void>
  /**
   * Claims long calls until the signal aborts. `running` gives those that run for so long. Rejects where
   * it cannot tell whether a claim is stored.
   */
  claimWhile(
    running: (longerThanMs: number) => readonly Delivery[],
    signal: AbortSignal,
  ): Promise<void>
  has(delivery: Delivery): boolean
  /** Completes what a rewind has skipped, once holds and progress are read. */
  completePassed(hasPassed: HasPassed): Promise<void>
  /** Applies a committed unit. */
  onCommit(statuses: readonly StatusChange[]): void
}

/** Whether a consumer has passed an offset. */
type HasPassed = (consumer: string, topic: string, partition: number, offset: number) => boolean

const PAGE = 1_000

const keyOf = ({ subscription, record }: Delivery): string =>
  consumedEventKey({ ...record, consumer: subscription.consumer.id })

export function createClaims(
  { backend: { store }, clock, options }: EngineContext,
  { consumers }: ConsumerGroup,
  by: string,
  {
    holds,
    leases,
  }: { readonly holds: Pick<Holds, 'summary' | 'isKnown'>; readonly leases: Leases },
): Claims {
  const claimed = new Map<string, EventStatus>()
  // Those of a queue, too: it may have been ordered when its events were claimed.
  const handlers = consumers.filter(({ rule }) => rule.kind === 'handler')

  async function load(): Promise<void> {
    const found = await readInProgress(store, handlers)
    claimed.clear()
    for (const each of found) claimed.set(consumedEventKey(each), each)
  }

  /** Returns whether the claims are stored. */
  async function claim(deliveries: readonly Delivery[]): Promise<boolean> {
    const places = deliveries.map(({ record }) => record)
    const fences = leases.fences(places, false)
    const now = { by, at: clock.now() }
    const statuses = deliveries.map((each) => claimOf(each, holds, now))
    const answer = await store.commit({ ...EMPTY_UNIT, fences, statuses }).catch(() => undefined)
    if (answer?.status !== 'done') return false
    for (const each of statuses) claimed.set(consumedEventKey(each), each)
    return true
  }

  return {
    load,
    async claimWhile(running, signal) {
      let isStored = true
      while (!signal.aborted) {
        await sleep(clock, options.queueAckMs, signal)
        if (!isStored) await load()
        isStored = true
        if (signal.aborted) return
        const long = running(options.queueAckMs).filter((each) => !claimed.has(keyOf(each)))
        if (long.length > 0) isStored = await claim(long)
      }
      // The unit of the calls has to begin at the stored statuses.
      if (!isStored) await load()
    },
    async completePassed(hasPassed) {
      const passed = [...claimed.values()].filter((each) => {
        const { consumer, topic, partition, offset } = each
        const isHere = leases.fences([each], false).every(({ generation }) => generation > 0)
        return isHere && hasPassed(consumer, topic, partition, offset) && !isHeld(holds, each)
      })
      if (passed.length === 0) return
      const step = { from: 'IN_PROGRESS', status: 'COMPLETED' } as const
      const now = { ...step, updatedBy: by, updatedAt: clock.now() }
      const statuses = passed.map((each) => ({ ...each, ...now }))
      const fences = leases.fences(passed, false)
      const { status } = await store.commit({ ...EMPTY_UNIT, fences, statuses })
      if (status === 'done') for (const each of passed) claimed.delete(consumedEventKey(each))
    },
    has: (delivery) => claimed.size > 0 && claimed.has(keyOf(delivery)),
    onCommit(statuses) {
      if (claimed.size === 0) return
      for (const each of statuses)
        if (each.status !== 'IN_PROGRESS') claimed.delete(consumedEventKey(each))
    },
  }
}

/** Whether an event may be held, by its key or by itself. */
function isHeld({ isKnown }: Pick<Holds, 'isKnown'>, event: EventStatus): boolean {
  const { consumer, key } = event
  return isKnown(`${consumer}:${key}`) || isKnown(placeHoldKey({ id: consumer }, event))
}

async function readInProgress(
  store: EventStore,
  consumers: readonly Consumer[],
): Promise<readonly EventStatus[]> {
  const found: EventStatus[] = []
  for (const { id: consumer } of consumers) {
    const query = { consumer, status: 'IN_PROGRESS', limit: PAGE } as const
    let page = await store.statuses(query)
    for (let last = page.at(-1); last; last = page.at(-1)) {
      found.push(...page)
      page = page.length < PAGE ? [] : await store.statuses({ ...query, after: last })
    }
  }
  return found
}

function claimOf(
  { subscription, record, held }: Delivery,
  { summary }: Pick<Holds, 'summary'>,
  now: { readonly by: string; readonly at: number },
): StatusChange {
  const hold = held?.isFirst ? summary(held.holdKey) : undefined
  const from: Status = hold?.status ?? 'UNPROCESSED'
  const step = { from, to: 'IN_PROGRESS', attempts: hold?.attempts ?? 0 } as const
  return createStatusChange(subscription.consumer, record, step, now)
}
