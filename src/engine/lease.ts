import type { Clock } from '../base/clock.ts'
import type { Claim, EventStore } from '../ports/store.ts'

/** The store's answer to a heartbeat. */
export type BeatAnswer = Awaited<ReturnType<EventStore['beat']>>

/** Renews the leases of one member after each third of the lease time. */
export interface Heartbeat {
  /** Renews held leases, asks for those in `wants`, and releases those in `gives`. */
  beat(wants: readonly string[], gives?: readonly string[]): Promise<BeatAnswer>
  /** When the next heartbeat is due, by `elapsed`. */
  dueAt(): number
  /** Makes the next heartbeat due now. */
  hasten(): void
  /**
   * Whether no heartbeat was answered for a whole lease time, so that other members may hold every
   * lease.
   */
  isLapsed(): boolean
  /** Releases all leases, so that other members need not wait for them to expire. */
  release(): Promise<void>
}

export function heartbeat(
  { store, clock }: { readonly store: Pick<EventStore, 'beat'>; readonly clock: Clock },
  member: string,
  leaseMs: number,
): Heartbeat {
  let dueAt = 0
  let answeredAt = clock.elapsed()
  return {
    async beat(wants, gives = []) {
      dueAt = clock.elapsed() + Math.floor(leaseMs / 3)
      const answer = await store.beat({ id: member }, wants, leaseMs, gives)
      answeredAt = clock.elapsed()
      return answer
    },
    dueAt: () => dueAt,
    hasten() {
      dueAt = clock.elapsed()
    },
    isLapsed: () => clock.elapsed() - answeredAt >= leaseMs,
    async release() {
      await store.beat({ id: member }, [], leaseMs)
    },
  }
}

/** A lease on work that one member does for all. */
export interface Lease {
  /** The claim, if this member holds the lease. Asks for or renews the lease when due. */
  claim(): Promise<Claim | undefined>
  release(): Promise<void>
}

export function leaseOn(
  resource: string,
  parts: Parameters<typeof heartbeat>[0],
  member: string,
  leaseMs: number,
): Lease {
  const beats = heartbeat(parts, `${member}/${resource}`, leaseMs)
  let claim: Claim | undefined
  let hasAsked = false
  return {
    async claim() {
      if (claim && parts.clock.elapsed() < beats.dueAt()) return claim
      hasAsked = true
      const { held } = await beats.beat([resource])
      claim = held[0]
      return claim
    },
    async release() {
      claim = undefined
      if (hasAsked) await beats.release()
    },
  }
}
