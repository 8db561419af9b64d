import type { Claim } from './store.ts'

/** Who holds a resource, as a store keeps it. */
export interface Lease extends Claim {
  readonly member: string
  readonly untilMs: number
}

/** What a store keeps about members: until when each lives, and what it wants. */
export interface Wish {
  readonly member: string
  readonly wants: readonly string[]
  readonly untilMs: number
}

/**
 * One beat of a member, as a pure step, so that every backend shares work out alike: claims that
 * the member still holds are renewed, free or expired ones are taken up to its share of each
 * resource's interested members, those it no longer wants are let go.
 */
export function shareOut(
  member: string,
  wants: readonly string[],
  ttlMs: number,
  nowMs: number,
  leases: ReadonlyMap<string, Lease>,
  wishes: readonly Wish[],
): {
  readonly changed: readonly Lease[]
  readonly held: readonly Claim[]
  readonly release: number
} {
  const others = wishes.filter((wish) => wish.member !== member && wish.untilMs > nowMs)
  const rivals = new Map<string, number>()
  for (const wish of others)
    for (const resource of wish.wants) rivals.set(resource, (rivals.get(resource) ?? 0) + 1)
  let share = 0
  for (const resource of wants) share += 1 / ((rivals.get(resource) ?? 0) + 1)
  const quota = Math.ceil(share - 1e-9)
  const wanted = new Set(wants)
  const untilMs = nowMs + ttlMs
  const changed: Lease[] = []
  const held: Lease[] = []
  for (const lease of leases.values()) {
    if (lease.member !== member) continue
    if (!wanted.has(lease.resource)) changed.push({ ...lease, untilMs: nowMs })
    else if (lease.untilMs > nowMs) held.push({ ...lease, untilMs })
  }
  for (const resource of wants) {
    if (held.length >= quota) break
    const lease = leases.get(resource)
    if (lease && lease.untilMs > nowMs) continue
    held.push({ resource, member, untilMs, generation: (lease?.generation ?? 0) + 1 })
  }
  return {
    changed: [...changed, ...held],
    held: held.map(({ resource, generation }) => ({ resource, generation })),
    release: Math.max(0, held.length - quota),
  }
}
