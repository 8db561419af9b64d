import type { Heartbeat, LeaseRecord, Rebalanced, Membership } from '../../../ports/rebalance.ts'
import { rebalance } from '../../../ports/rebalance.ts'
import type { Lease } from '../../../ports/event-store.ts'
import type { Statements } from '../sql/index.ts'

/**
 * The leases of resources. All members live in this process, so leases expire by its monotonic clock;
 * generations are stored.
 */
export interface Leases {
  load(): void
  beat(beat: Heartbeat): Omit<Rebalanced, 'changed'>
  /** The resources whose leases have another generation now. */
  fencedResources(fences: readonly Lease[]): readonly string[]
}

const UPSERT_TAIL = `ON CONFLICT (resource) DO UPDATE SET member = excluded.member,
  generation = excluded.generation, until_ms = excluded.until_ms`

export function createLeases(sql: Statements): Leases {
  const leases = new Map<string, LeaseRecord>()
  let memberships: readonly Membership[] = []
  /** The members of this process. */
  const members = new Set<string>()
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
        // The directory has one owner, so holders of earlier processes are gone.
        const isAlive = members.has(member)
        leases.set(resource, { resource, member, generation, untilMs: isAlive ? untilMs : 0 })
      }
    },
    beat(beat) {
      members.add(beat.member)
      const { changed, held, revoke } = rebalance(beat, leases, memberships)
      for (const lease of changed) leases.set(lease.resource, lease)
      sql.insert(
        'INSERT INTO lease (resource, member, generation, until_ms)',
        UPSERT_TAIL,
        4,
        changed.flatMap((lease) => [lease.resource, lease.member, lease.generation, lease.untilMs]),
      )
      const { member, wants, untilMs } = beat
      memberships = [
        ...memberships.filter((other) => other.member !== member),
        { member, wants, untilMs },
      ]
      return { held, revoke }
    },
    fencedResources: (fences) =>
      fences
        .filter(({ resource, generation }) => leases.get(resource)?.generation !== generation)
        .map(({ resource }) => resource),
  }
}
