import type { Bell } from '../base/bell.ts'
import { bell } from '../base/bell.ts'
import type { Clock } from '../base/clock.ts'

/**
 * One group of the process at a time has a message in hand that may end it: were there two, nobody
 * could tell which of them did.
 */
export interface Alone {
  /** Whether the group has the permit; waits for it up to `waitMs`. A holder may take it again. */
  take(group: string, waitMs: number): Promise<boolean>
  release(group: string): void
}

/** What is held for longer than `heldMsMax` goes to the next one: nobody waits for ever. */
export function aloneOf(clock: Clock, heldMsMax: number): Alone {
  const released: Bell = bell(clock)
  let holder: { readonly group: string; readonly since: number } | undefined
  const isFree = (group: string): boolean =>
    !holder || holder.group === group || clock.elapsed() - holder.since > heldMsMax
  return {
    async take(group, waitMs) {
      if (!isFree(group)) await released.wait(waitMs)
      if (!isFree(group)) return false
      if (holder?.group !== group) holder = { group, since: clock.elapsed() }
      return true
    },
    release(group) {
      if (holder?.group !== group) return
      holder = undefined
      released.ring()
    },
  }
}
