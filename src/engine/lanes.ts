import { compositeKey } from '../base/composite-key.ts'
import type { Clock } from '../base/clock.ts'
import { breathe } from '../base/clock.ts'
import type { Attempt, Calling } from './handle.ts'
import { attempt } from './handle.ts'
import type { Item } from './turn.ts'

/**
 * Calls handlers for the items of a turn: one after another inside a key, keys side by side up to
 * the handler's concurrency. After a failure the rest of its key is left for later, and once the
 * signal has aborted all that is not begun. Items of pure rules pass through untouched.
 *
 * Nothing more is begun once the handlers have computed for too long: then the items end before the
 * first that was not begun. What became of later ones is remembered for the next turn, which has
 * them again, so that no handler is called twice for that.
 */
export interface Lanes {
  attempt(items: readonly Item[], signal: AbortSignal): Promise<readonly Item[]>
  /** Forgets what became of items that no unit has taken. */
  forget(): void
}

export interface LanesParts {
  readonly calling: Calling
  readonly clock: Clock
  /** Whether the item's key waits behind a fault, so that it is not its turn. */
  readonly isHeld: (item: Item) => boolean
  readonly computeMsMax: number
  /** Hears how long the handlers of a turn that ended early have computed, on how many items. */
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

/** The places of items by their key, each list in order; without those that are held back. */
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
