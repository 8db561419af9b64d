import type { Notifier } from '../../base/time/notifier.ts'
import { createNotifier } from '../../base/time/notifier.ts'
import type { Clock } from '../../base/time/clock.ts'

/**
 * Lets one consumer group of the process at a time work on a message that may crash the process.
 * With two at work, nobody could tell which of them caused the crash.
 */
export interface ExclusivePermit {
  /**
   * Whether the group holds the permit; waits for it up to `waitMs`. A holder may acquire it again.
   */
  acquire(group: string, waitMs: number): Promise<boolean>
  release(group: string): void
}

/** A permit held for longer than `heldMsMax` goes to the next group, so that none waits forever. */
export function createExclusivePermit(clock: Clock, heldMsMax: number): ExclusivePermit {
  const released: Notifier = createNotifier(clock)
  let holder: { readonly group: string; readonly since: number } | undefined
  const isFree = (group: string): boolean =>
    !holder || holder.group === group || clock.elapsed() - holder.since > heldMsMax
  return {
    async acquire(group, waitMs) {
      if (!isFree(group)) await released.wait(waitMs)
      if (!isFree(group)) return false
      if (holder?.group !== group) holder = { group, since: clock.elapsed() }
      return true
    },
    release(group) {
      if (holder?.group !== group) return
      holder = undefined
      released.notify()
    },
  }
}
