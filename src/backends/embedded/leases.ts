import type { Lease, Wish } from '../../ports/share.ts'
import { shareOut } from '../../ports/share.ts'
import type { Claim, Member } from '../../ports/store.ts'
import type { Statements } from './statements.ts'

/** Who may act for what. Members live in this one process; generations outlive it. */
export interface Leases {
  load(): void
  beat(
    member: Member,
    wants: readonly string[],
    ttlMs: number,
    nowMs: number,
  ): { readonly held: readonly Claim[]; readonly release: number }
  /** The resources whose claims have gone to another generation. */
  lost(fences: readonly Claim[]): readonly string[]
}

const UPSERT_TAIL = `ON CONFLICT (resource) DO UPDATE SET member = excluded.member,
  generation = excluded.generation, until_ms = excluded.until_ms`

export function leasesIn(sql: Statements): Leases {
  const leases = new Map<string, Lease>()
  let wishes: readonly Wish[] = []
  let isFirstLoad = true
  return {
    load() {
      leases.clear()
      const rows = sql.all('SELECT resource, member, generation, until_ms FROM lease')
      for (const [resource, member, generation, untilMs] of rows as [
        string,
        string,
        number,
        number,
      ][]) {
        // The directory has one owner, so whoever held a lease before this process is gone.
        const lease = { resource, member, generation, untilMs: isFirstLoad ? 0 : untilMs }
        leases.set(resource, lease)
      }
      isFirstLoad = false
    },
    beat(member, wants, ttlMs, nowMs) {
      const { changed, held, release } = shareOut(member.id, wants, ttlMs, nowMs, leases, wishes)
      for (const lease of changed) leases.set(lease.resource, lease)
      sql.insert(
        'INSERT INTO lease (resource, member, generation, until_ms)',
        UPSERT_TAIL,
        changed.map((lease) => [lease.resource, lease.member, lease.generation, lease.untilMs]),
      )
      const others = wishes.filter((wish) => wish.member !== member.id)
      wishes = [...others, { member: member.id, wants, untilMs: nowMs + ttlMs }]
      return { held, release }
    },
    lost: (fences) =>
      fences
        .filter(({ resource, generation }) => leases.get(resource)?.generation !== generation)
        .map(({ resource }) => resource),
  }
}
