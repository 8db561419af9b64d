import type { Calling } from './handle.ts'
import { attempt } from './handle.ts'
import type { Item } from './turn.ts'

/**
 * Calls handlers for the items of a turn: one after another inside a key, keys side by side up to
 * the handler's concurrency. After a failure the rest of its key is left for later, and once the
 * signal has aborted all that is not begun. Items of pure rules pass through untouched.
 */
export async function attemptAll(
  items: readonly Item[],
  calling: Calling,
  signal: AbortSignal,
  isHeld: (item: Item) => boolean,
): Promise<readonly Item[]> {
  const first = items[0]?.reaction.consumer.rule
  if (first?.is !== 'handler') return items
  const lanes = new Map<string, number[]>()
  for (const [at, item] of items.entries()) {
    if (!item.held && isHeld(item)) continue
    const lane = lanes.get(item.record.key) ?? []
    lanes.set(item.record.key, [...lane, at])
  }
  const attempted = [...items]
  const waiting = [...lanes.values()]
  const work = async (): Promise<void> => {
    for (let lane = waiting.shift(); lane; lane = waiting.shift())
      for (const at of lane) {
        const item = items[at] as Item
        const result = await attempt(calling, item, signal)
        if (!result) return
        attempted[at] = { ...item, attempt: result }
        if (result.is !== 'handled') break
      }
  }
  const workers = Math.min(first.concurrency, waiting.length)
  await Promise.all(Array.from({ length: workers }, work))
  return attempted
}
