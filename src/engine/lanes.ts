import { compositeKey } from '../base/composite-key.ts'
import type { Clock } from '../base/clock.ts'
import { breathe } from '../base/clock.ts'
import type { Attempt, Calling } from './handle.ts'
import { attempt } from './handle.ts'
import type { Item } from './turn.ts'

/**
 * Calls handlers for the deliveries of a batch: in order within a key, and up to the handler's
 * concurrency over keys. After a failure, the rest of the key is left for later; after the signal
 * aborts, everything that has not begun. Deliveries of pure rules pass unchanged.
 *
 * Once the handlers have computed for too long, nothing more begins, and the returned deliveries
 * end before the first one that did not. Results of later ones are kept for the next batch, which
 * contains them again, so that no handler is called twice.
 */
export interface Lanes {
  attempt(items: readonly Item[], signal: AbortSignal): Promise<readonly Item[]>
  /** Forgets results that no unit has taken. */
  forget(): void
}

export interface LanesParts {
  readonly calling: Calling
  readonly clock: Clock
  /** Whether the delivery's key is held. */
  readonly isHeld: (item: Item) => boolean
  readonly computeMsMax: number
  /** Called with the computing time and the number of deliveries if a batch ended early. */
  readonly endedEarly: (tookMs: number, items: number) => void
}

export function lanesOf({ calling, clock, isHeld, computeMsMax, endedEarly }: LanesParts): Lanes {
  const ahead = new Map<string, Attempt>()

  async function attemptAll(items: readonly Item[], signal: AbortSignal): Promise<readonly Item[]> {
    const first = items[0]?.reaction.consumer.rule
    if (first?.is !== 'handler') return items
    const attempted = [...items]
    const waiting = lanesIn(items, isHeld)
    let computedMs = 0
    let end = items.length
    const computed = (tookMs: number): void => void (computedMs += tookMs)
    const work = async (): Promise<void> => {
      for (let lane = waiting.shift(); lane; lane = waiting.shift())
        for (const at of lane) {
          if (computedMs > computeMsMax) {
            end = Math.min(end, at)
            break
          }
          const item = items[at] as Item
          const known = ahead.get(placeOf(item))
          const result = known ?? (await attempt(calling, item, signal, computed))
          if (!result) return
          attempted[at] = { ...item, attempt: result }
          if (result.is !== 'handled') break
        }
    }
    const workers = Math.min(first.concurrency, waiting.length)
    await Promise.all(Array.from({ length: workers }, work))
    if (end < items.length) {
      endedEarly(computedMs, end)
      await breathe(clock)
    }
    ahead.clear()
    for (const item of attempted.slice(end))
      if (item.attempt) ahead.set(placeOf(item), item.attempt)
    return attempted.slice(0, end)
  }

  return { attempt: attemptAll, forget: () => ahead.clear() }
}

const placeOf = ({ record: { topic, partition, offset } }: Item): string =>
  compositeKey(topic, partition, offset)

/** Indexes of deliveries by key, each list in order; without held ones. */
function lanesIn(items: readonly Item[], isHeld: (item: Item) => boolean): (readonly number[])[] {
  const lanes = new Map<string, number[]>()
  for (const [at, item] of items.entries()) {
    if (!item.held && isHeld(item)) continue
    const lane = lanes.get(item.record.key)
    if (lane) lane.push(at)
    else lanes.set(item.record.key, [at])
  }
  return [...lanes.values()]
}
