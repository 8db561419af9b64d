import type { Clock } from '../base/clock.ts'
import type { Claim, EventStore } from '../ports/store.ts'

/** What a store answers to a beat. */
export type BeatAnswer = Awaited<ReturnType<EventStore['beat']>>

/** Renews the leases of one member, each time a third of them has passed. */
export interface Heartbeat {
  /** Renews what is held and asks for what is wanted; gives up what is listed. */
  beat(wants: readonly string[], gives?: readonly string[]): Promise<BeatAnswer>
  /** When the next beat is due, by `elapsed`. */
  dueAt(): number
  /** The next beat is due now. */
  hasten(): void
  /** Whether no beat was answered for a whole lease, so that others may hold everything. */
  isLapsed(): boolean
  /** Gives everything back, so that no other member has to wait for the lease to end. */
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

/** Work that one member at a time does for all. */
export interface Lease {
  /** The claim, where this member holds it; asks for it, or renews it, when that is due. */
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
