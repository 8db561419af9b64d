import type { Clock } from '../../base/time/clock.ts'
import type { Lease, EventStore } from '../../ports/event-store.ts'

/** The store's answer to a heartbeat. */
export type BeatAnswer = Awaited<ReturnType<EventStore['beat']>>

/** Renews the leases of one member after each third of the lease time. */
export interface Heartbeat {
  /** Renews held leases, asks for those in `wants`, and releases those in `releases`. */
  beat(wants: readonly string[], releases?: readonly string[]): Promise<BeatAnswer>
  /** When the next heartbeat is due, by `elapsed`. */
  dueAt(): number
  /** Makes the next heartbeat due now. */
  makeDue(): void
  /**
   * Whether no heartbeat was answered for a whole lease time, so that other members may hold every
   * lease.
   */
  hasExpired(): boolean
  /** Releases all leases, so that other members need not wait for them to expire. */
  release(): Promise<void>
}

export function createHeartbeat(
  { store, clock }: { readonly store: Pick<EventStore, 'beat'>; readonly clock: Clock },
  member: string,
  leaseMs: number,
): Heartbeat {
  let dueAt = 0
  let answeredAt = clock.elapsed()
  return {
    async beat(wants, releases = []) {
      dueAt = clock.elapsed() + Math.floor(leaseMs / 3)
      const answer = await store.beat({ id: member }, wants, leaseMs, releases)
      answeredAt = clock.elapsed()
      return answer
    },
    dueAt: () => dueAt,
    makeDue() {
      dueAt = clock.elapsed()
    },
    hasExpired: () => clock.elapsed() - answeredAt >= leaseMs,
    async release() {
      await store.beat({ id: member }, [], leaseMs)
    },
  }
}

/** A lease on work that one member does for all. */
export interface TaskLease {
  /** The lease, if this member holds it. Asks for it or renews it when due. */
  hold(): Promise<Lease | undefined>
  release(): Promise<void>
}

export function createTaskLease(
  resource: string,
  parts: Parameters<typeof createHeartbeat>[0],
  member: string,
  leaseMs: number,
): TaskLease {
  const beats = createHeartbeat(parts, `${member}/${resource}`, leaseMs)
  let lease: Lease | undefined
  let hasAsked = false
  return {
    async hold() {
      if (lease && parts.clock.elapsed() < beats.dueAt()) return lease
      hasAsked = true
      // If the heartbeat fails, nobody knows who holds it.
      lease = undefined
      const { held } = await beats.beat([resource])
      lease = held[0]
      return lease
    },
    async release() {
      lease = undefined
      if (hasAsked) await beats.release()
    },
  }
}
