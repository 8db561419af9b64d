import type { Clock } from '../../base/time/clock.ts'
import type { Advance } from '../../ports/event-store.ts'

/** Who passes events here, and by which clock. */
export interface RangeParts {
  readonly clock: Pick<Clock, 'now' | 'elapsed'>
  /** The name of the service. */
  readonly by: string
}

/** How long a progress range lasts: the ledger tells to this when an event was passed. */
const RANGE_MS = 1_000

/** Begins a progress range with the first unit of an instance, and then once a second. */
export function createRanges({ clock, by }: RangeParts) {
  const begunAt = new Map<string, number>()
  return {
    next(id: string): Pick<Advance, 'range'> {
      const at = begunAt.get(id)
      if (at !== undefined && clock.elapsed() - at < RANGE_MS) return {}
      return { range: { by, at: clock.now() } }
    },
    began: (id: string): void => void begunAt.set(id, clock.elapsed()),
    clear: (): void => begunAt.clear(),
  }
}
