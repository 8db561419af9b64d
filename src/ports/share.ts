import type { Claim } from './store.ts'

/** A lease with its holder, as a store keeps it. */
export interface Lease extends Claim {
  readonly member: string
  readonly untilMs: number
}

/** A member of the group: which resources it wants, and when it expires. */
export interface Wish {
  readonly member: string
  readonly wants: readonly string[]
  readonly untilMs: number
}

/** One heartbeat of one member. */
export interface Beat extends Wish {
  readonly gives: readonly string[]
  readonly nowMs: number
}

export interface Shared {
  /** The leases to write. */
  readonly changed: readonly Lease[]
  readonly held: readonly Claim[]
  readonly release: readonly string[]
}

/**
 * Handles one heartbeat as a pure function, so that all backends assign work alike: leases that the
 * member still holds are renewed, those that it releases or no longer wants become free, and free or
 * expired ones are taken. A resource that no other member wants is always taken. Of contested
 * resources a member takes up to its quota, and more only where no other member is under its quota.
 */
export function shareOut(
  beat: Beat,
  leases: ReadonlyMap<string, Lease>,
  wishes: readonly Wish[],
): Shared {
  const { member, wants, gives, untilMs, nowMs } = beat
  const others = wishes.filter((wish) => wish.member !== member && wish.untilMs > nowMs)
  const shares = sharesOf([beat, ...others], leases, nowMs)
  const mine = shares.ofMember(member)
  const wanted = new Set(wants.filter((resource) => !gives.includes(resource)))
  const changed: Lease[] = []
  const held: Lease[] = []
  for (const lease of leases.values()) {
    if (lease.member !== member || lease.untilMs <= nowMs) continue
    if (wanted.has(lease.resource)) held.push({ ...lease, untilMs })
    else changed.push({ ...lease, untilMs: nowMs })
    if (!wanted.has(lease.resource) && shares.isContested(lease.resource)) mine.load -= 1
  }
  for (const resource of wanted) {
    const lease = leases.get(resource)
    if (lease && lease.untilMs > nowMs) continue
    const isContested = shares.isContested(resource)
    if (isContested && mine.load >= mine.quota && shares.hungry(resource, member).length > 0)
      continue
    if (isContested) mine.load += 1
    held.push({ resource, member, untilMs, generation: (lease?.generation ?? 0) + 1 })
  }
  return {
    changed: [...changed, ...held],
    held: held.map(({ resource, generation }) => ({ resource, generation })),
    release: excessOf(member, held, shares),
  }
}

/** A member's quota of contested resources, and how many it holds. */
interface Share {
  readonly quota: number
  /** Changes while the heartbeat takes and releases leases. */
  load: number
}

interface Shares {
  ofMember(member: string): Share
  /** Whether several members want the resource. */
  isContested(resource: string): boolean
  /** Other members that want the resource and hold less than their quota. */
  hungry(resource: string, besides: string): readonly string[]
}

function sharesOf(
  wishes: readonly Wish[],
  leases: ReadonlyMap<string, Lease>,
  nowMs: number,
): Shares {
  const wanting = new Map<string, string[]>()
  for (const { member, wants } of wishes)
    for (const resource of wants) {
      const members = wanting.get(resource) ?? []
      members.push(member)
      wanting.set(resource, members)
    }
  const isContested = (resource: string): boolean => (wanting.get(resource)?.length ?? 0) > 1
  const shares = new Map<string, Share>()
  for (const { member, wants } of wishes) {
    let share = 0
    let load = 0
    for (const resource of wants) {
      if (!isContested(resource)) continue
      share += 1 / (wanting.get(resource)?.length ?? 1)
      const lease = leases.get(resource)
      if (lease && lease.member === member && lease.untilMs > nowMs) load += 1
    }
    shares.set(member, { quota: Math.ceil(share - ROUNDING), load })
  }
  const ofMember = (member: string): Share => shares.get(member) ?? { quota: 0, load: 0 }
  return {
    ofMember,
    isContested,
    hungry: (resource, besides) =>
      (wanting.get(resource) ?? []).filter((member) => {
        const { quota, load } = ofMember(member)
        return member !== besides && load < quota
      }),
  }
}

/** Three thirds do not add up to exactly one. */
const ROUNDING = 1e-9

/**
 * The leases to hand to members under their quota: everything above the own quota, and below it what
 * evens out two members. Each step lowers the total above quotas or the sum of squared loads, so
 * rebalancing terminates.
 */
function excessOf(member: string, held: readonly Lease[], shares: Shares): readonly string[] {
  const mine = shares.ofMember(member)
  const excess: string[] = []
  for (const { resource } of held.toReversed()) {
    const lacking = shares
      .hungry(resource, member)
      .map(shares.ofMember)
      .toSorted((a, b) => a.load - b.load)[0]
    if (!lacking || (mine.load <= mine.quota && mine.load < lacking.load + 2)) continue
    mine.load -= 1
    lacking.load += 1
    excess.push(resource)
  }
  return excess
}
