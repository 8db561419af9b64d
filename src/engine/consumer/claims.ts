import { sleep } from '../../base/time/clock.ts'
import { consumedEventKey } from '../../ports/composite-keys.ts'
import { EMPTY_UNIT } from '../../ports/empty-unit.ts'
import type { Status, StatusChange } from '../../ports/status.ts'
import type { EngineContext } from '../context/index.ts'
import type { Delivery } from '../execution/index.ts'
import type { Holds } from '../failure/index.ts'
import { createStatusChange } from '../failure/index.ts'
import type { ConsumerGroup } from '../plan/index.ts'
import type { Leases } from './leases.ts'

/**
 * The events of an ordered handler whose status is IN_PROGRESS in the store: their calls run for longer than
 * the ack time. A short call costs no row. Calls of queues are held meanwhile, and have their status there.
 */
export interface Claims {
  /** Reads what is in progress, be it here or where a process has ended. */
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
  /** Applies a committed unit. */
  onCommit(statuses: readonly StatusChange[]): void
}

const PAGE = 1_000

const keyOf = ({ subscription, record }: Delivery): string =>
  consumedEventKey({ ...record, consumer: subscription.consumer.id })

export function createClaims(
  { backend: { store }, clock, options }: EngineContext,
  { consumers }: ConsumerGroup,
  by: string,
  { holds, leases }: { readonly holds: Pick<Holds, 'summary'>; readonly leases: Leases },
): Claims {
  const claimed = new Set<string>()
  // Those of a queue, too: it may have been ordered when its events were claimed.
  const handlers = consumers.filter(({ rule }) => rule.kind === 'handler')

  function changeOf({ subscription, record, held }: Delivery): StatusChange {
    const { consumer } = subscription
    const hold = held?.isFirst ? holds.summary(held.holdKey) : undefined
    const from: Status = hold?.status ?? 'UNPROCESSED'
    const step = { from, to: 'IN_PROGRESS', attempts: hold?.attempts ?? 0 } as const
    return createStatusChange(consumer, record, step, { by, at: clock.now() })
  }

  async function load(): Promise<void> {
    const found: string[] = []
    for (const { id: consumer } of handlers) {
      const query = { consumer, status: 'IN_PROGRESS', limit: PAGE } as const
      let page = await store.statuses(query)
      for (let last = page.at(-1); last; last = page.at(-1)) {
        for (const each of page) found.push(consumedEventKey(each))
        page = page.length < PAGE ? [] : await store.statuses({ ...query, after: last })
      }
    }
    claimed.clear()
    for (const each of found) claimed.add(each)
  }

  /** Whether it is known what the store has. */
  async function claim(deliveries: readonly Delivery[]): Promise<boolean> {
    const places = deliveries.map(({ record }) => record)
    const fences = leases.fences(places, false)
    const statuses = deliveries.map(changeOf)
    const answer = await store.commit({ ...EMPTY_UNIT, fences, statuses }).catch(() => undefined)
    if (answer?.status !== 'done') return false
    for (const each of deliveries) claimed.add(keyOf(each))
    return true
  }

  return {
    load,
    async claimWhile(running, signal) {
      let isKnown = true
      while (!signal.aborted) {
        await sleep(clock, options.queueAckMs, signal)
        if (!isKnown) await load()
        isKnown = true
        if (signal.aborted) return
        const long = running(options.queueAckMs).filter((each) => !claimed.has(keyOf(each)))
        if (long.length > 0) isKnown = await claim(long)
      }
      // The unit of the calls has to begin at what the store has.
      if (!isKnown) await load()
    },
    has: (delivery) => claimed.size > 0 && claimed.has(keyOf(delivery)),
    onCommit(statuses) {
      if (claimed.size === 0) return
      for (const each of statuses)
        if (each.status !== 'IN_PROGRESS') claimed.delete(consumedEventKey(each))
    },
  }
}
