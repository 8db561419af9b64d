import { compositeKey } from '../../base/composite-key.ts'
import type { Clock } from '../../base/time/clock.ts'
import { yieldToEventLoop } from '../../base/time/clock.ts'
import type { HandlerRuntime } from './call-handler.ts'
import { callHandler } from './call-handler.ts'
import type { Attempt, Delivery } from '../execution/index.ts'

/**
 * Calls handlers for the deliveries of a batch: in order within a key, and up to the handler's
 * concurrency over keys. After a failure, the rest of the key is left for later; after the signal
 * aborts, everything that has not begun. Deliveries of pure rules pass unchanged.
 *
 * Once the handlers have computed for too long, nothing more begins, and the returned deliveries
 * end before the first one that did not. Results of later ones are kept for the next batch, which
 * contains them again, so that no handler is called twice.
 */
export interface KeyLanes {
  attempt(deliveries: readonly Delivery[], signal: AbortSignal): Promise<readonly Delivery[]>
  /** The deliveries whose calls have run for this long. */
  running(longerThanMs: number): readonly Delivery[]
  /** Forgets results that no unit has taken. */
  forget(): void
}

export interface KeyLanesParts {
  readonly runtime: HandlerRuntime
  readonly clock: Clock
  /** Whether the delivery's key is held. */
  readonly isHeld: (delivery: Delivery) => boolean
  readonly computeMsMax: number
  /** Called with the computing time and the number of deliveries if a batch ended early. */
  readonly endedEarly: (tookMs: number, deliveries: number) => void
}

export function createKeyLanes({
  runtime,
  clock,
  isHeld,
  computeMsMax,
  endedEarly,
}: KeyLanesParts): KeyLanes {
  const finished = new Map<string, Attempt>()
  const calls = createCalls(runtime, clock)

  async function attemptAll(
    deliveries: readonly Delivery[],
    signal: AbortSignal,
  ): Promise<readonly Delivery[]> {
    const first = deliveries[0]?.subscription.consumer.rule
    if (first?.kind !== 'handler') return deliveries
    const attempted = [...deliveries]
    const waiting = groupByKey(deliveries, isHeld)
    let computedMs = 0
    let end = deliveries.length
    const computed = (tookMs: number): void => void (computedMs += tookMs)
    const work = async (): Promise<void> => {
      for (let lane = waiting.shift(); lane; lane = waiting.shift()) {
        const failed = new Set<string | undefined>()
        for (const at of lane) {
          if (computedMs > computeMsMax) {
            end = Math.min(end, at)
            break
          }
          const delivery = deliveries[at] as Delivery
          // What waits behind a failed one is left; a dead letter with a hold of its own is not behind it.
          if (failed.has(delivery.held?.holdKey)) continue
          const known = finished.get(deliveryKey(delivery))
          const result = known ?? (await calls.call(delivery, signal, computed))
          if (!result) return
          attempted[at] = { ...delivery, attempt: result }
          if (result.status !== 'handled') failed.add(delivery.held?.holdKey)
        }
      }
    }
    const workers = Math.min(first.concurrency, waiting.length)
    await Promise.all(Array.from({ length: workers }, work))
    if (end < deliveries.length) {
      endedEarly(computedMs, end)
      await yieldToEventLoop(clock)
    }
    finished.clear()
    for (const delivery of attempted.slice(end))
      if (delivery.attempt) finished.set(deliveryKey(delivery), delivery.attempt)
    return attempted.slice(0, end)
  }

  return {
    attempt: attemptAll,
    running: calls.running,
    forget: () => finished.clear(),
  }
}

/** Calls, and which of them run for how long. */
function createCalls(runtime: HandlerRuntime, clock: Clock) {
  const beganAt = new Map<Delivery, number>()
  return {
    async call(
      delivery: Delivery,
      signal: AbortSignal,
      computed: (tookMs: number) => void,
    ): Promise<Attempt | undefined> {
      beganAt.set(delivery, clock.elapsed())
      try {
        return await callHandler(runtime, delivery, signal, computed)
      } finally {
        beganAt.delete(delivery)
      }
    },
    running(longerThanMs: number): readonly Delivery[] {
      const latest = clock.elapsed() - longerThanMs
      return [...beganAt].filter(([, at]) => at <= latest).map(([delivery]) => delivery)
    },
  }
}

const deliveryKey = ({ record: { topic, partition, offset } }: Delivery): string =>
  compositeKey(topic, partition, offset)

/** Indexes of deliveries by key, each list in order; without held ones. */
function groupByKey(
  deliveries: readonly Delivery[],
  isHeld: (delivery: Delivery) => boolean,
): (readonly number[])[] {
  const lanes = new Map<string, number[]>()
  for (const [at, delivery] of deliveries.entries()) {
    if (!delivery.held && isHeld(delivery)) continue
    const lane = lanes.get(delivery.record.key)
    if (lane) lane.push(at)
    else lanes.set(delivery.record.key, [at])
  }
  return [...lanes.values()]
}
