import type { Lease } from './event-store.ts'

/** A lease with its holder, as a store keeps it. */
export interface LeaseRecord extends Lease {
  readonly member: string
  readonly untilMs: number
}

/** A member of the group: which resources it wants, and when it expires. */
export interface Membership {
  readonly member: string
  readonly wants: readonly string[]
  readonly untilMs: number
}

/** One heartbeat of one member. */
export interface Heartbeat extends Membership {
  readonly releases: readonly string[]
  readonly nowMs: number
}

export interface Rebalanced {
  /** The leases to write. */
  readonly changed: readonly LeaseRecord[]
  readonly held: readonly Lease[]
  readonly revoke: readonly string[]
}

/**
 * Handles one heartbeat as a pure function, so that all backends assign work alike: leases that the
 * member still holds are renewed, those that it releases or no longer wants become free, and free or
 * expired ones are taken. A resource that no other member wants is always taken. Of contested
 * resources a member takes up to its quota, and more only where no other member is under its quota.
 */
export function rebalance(
  beat: Heartbeat,
  leases: ReadonlyMap<string, LeaseRecord>,
  memberships: readonly Membership[],
): Rebalanced {
  const { member, wants, releases, untilMs, nowMs } = beat
  const others = memberships.filter(
    (membership) => membership.member !== member && membership.untilMs > nowMs,
  )
  const shares = computeShares([beat, ...others], leases, nowMs)
  const mine = shares.ofMember(member)
  const wanted = new Set(wants.filter((resource) => !releases.includes(resource)))
  const changed: LeaseRecord[] = []
  const held: LeaseRecord[] = []
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
    if (isContested && mine.load >= mine.quota && shares.underQuota(resource, member).length > 0)
      continue
    if (isContested) mine.load += 1
    held.push({ resource, member, untilMs, generation: (lease?.generation ?? 0) + 1 })
  }
  return {
    changed: [...changed, ...held],
    held: held.map(({ resource, generation }) => ({ resource, generation })),
    revoke: excessLeases(member, held, shares),
  }
}

/** A member's quota of contested resources, and how many it holds. */
interface MemberShare {
  readonly quota: number
  /** Changes while the heartbeat takes and releases leases. */
  load: number
}

interface Shares {
  ofMember(member: string): MemberShare
  /** Whether several members want the resource. */
  isContested(resource: string): boolean
  /** Other members that want the resource and hold less than their quota. */
  underQuota(resource: string, besides: string): readonly string[]
}

function computeShares(
  memberships: readonly Membership[],
  leases: ReadonlyMap<string, LeaseRecord>,
  nowMs: number,
): Shares {
  const wanting = new Map<string, string[]>()
  for (const { member, wants } of memberships)
    for (const resource of wants) {
      const members = wanting.get(resource) ?? []
      members.push(member)
      wanting.set(resource, members)
    }
  const isContested = (resource: string): boolean => (wanting.get(resource)?.length ?? 0) > 1
  const shares = new Map<string, MemberShare>()
  for (const { member, wants } of memberships) {
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
  const ofMember = (member: string): MemberShare => shares.get(member) ?? { quota: 0, load: 0 }
  return {
    ofMember,
    isContested,
    underQuota: (resource, besides) =>
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
function excessLeases(
  member: string,
  held: readonly LeaseRecord[],
  shares: Shares,
): readonly string[] {
  const mine = shares.ofMember(member)
  const excess: string[] = []
  for (const { resource } of held.toReversed()) {
    const lacking = shares
      .underQuota(resource, member)
      .map(shares.ofMember)
      .toSorted((a, b) => a.load - b.load)[0]
    if (!lacking || (mine.load <= mine.quota && mine.load < lacking.load + 2)) continue
    mine.load -= 1
    lacking.load += 1
    excess.push(resource)
  }
  return excess
}
