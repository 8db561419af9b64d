import { sleep } from '../../base/time/clock.ts'
import type { Advance, Lease } from '../../ports/event-store.ts'
import { createHeartbeat } from '../context/index.ts'
import type { EngineContext, LeaseShare } from '../context/index.ts'
import type { ConsumerGroup } from '../plan/index.ts'
import type { GroupProgress, GroupPartition } from './group-progress.ts'

/**
 * The leases of a group: which shards this process may work on. Leases are fencing tokens as well:
 * each unit names the generation of every lease that it relies on.
 */
export interface Leases {
  /** Renews leases and takes or releases shares; returns whether the set has changed. */
  heartbeat(): Promise<'same' | 'changed'>
  /**
   * Renews leases while a unit takes long, and releases none. Resolves once the signal aborts.
   * Before that, calls `lost` if another member has taken one of the leases, or if no heartbeat was
   * answered for a whole lease time.
   */
  keepAlive(signal: AbortSignal, lost: () => void): Promise<void>
  /** When the next heartbeat is due, by `elapsed`. */
  heartbeatDueAt(): number
  /** Releases all leases, so that other members need not wait for them to expire. */
  release(): Promise<void>
  holds(partition: Pick<GroupPartition, 'resource'>): boolean
  /**
   * Whether no heartbeat was answered for a whole lease time, so that other members may hold every
   * lease.
   */
  hasExpired(): boolean
  /** How many of the group's shards this member holds. */
  share(): LeaseShare
  holdsTimerLease(): boolean
  fences(places: readonly Pick<Advance, 'topic' | 'partition'>[], withTimers: boolean): Lease[]
}

export function createLeases(
  engine: EngineContext,
  group: ConsumerGroup,
  progress: GroupProgress,
): Leases {
  const { clock, options } = engine
  const { store } = engine.backend
  // Each group sends its own heartbeats, so each is a member of its own.
  const beats = createHeartbeat({ store, clock }, `${engine.member}/${group.id}`, options.leaseMs)
  const wanted = [...new Set(progress.partitions.map(({ resource }) => resource))]
  // Only sagas set timers. Timers have no key: the member with the first shard fires them.
  const hasSagas = group.consumers.some(({ rule }) => rule.kind === 'saga')
  const timerResource = `${group.id}/0`
  const held = new Map<string, number>()
  let excess: readonly string[] = []
  const isHeldAs = ({ resource, generation }: Lease): boolean => held.get(resource) === generation

  return {
    async heartbeat() {
      // Heartbeats run between units, so no work is in progress on a shard that is released.
      const isReleasing = excess.length > 0
      const answer = await beats.beat(wanted, excess)
      // Release excess shards at once, but only once: the next regular heartbeat sees whether
      // another member took them.
      excess = isReleasing ? [] : answer.revoke
      if (excess.length > 0) beats.makeDue()
      if (answer.held.length === held.size && answer.held.every(isHeldAs)) return 'same'
      held.clear()
      for (const { resource, generation } of answer.held) held.set(resource, generation)
      return 'changed'
    },
    async keepAlive(signal, lost) {
      for (;;) {
        await sleep(clock, Math.max(0, beats.dueAt() - clock.elapsed()), signal)
        if (signal.aborted) return
        const answer = await beats.beat(wanted).catch(() => undefined)
        // Shards gained meanwhile are picked up by the next regular heartbeat.
        const isKept = answer
          ? answer.held.filter(isHeldAs).length === held.size
          : !beats.hasExpired()
        if (!isKept) return lost()
      }
    },
    heartbeatDueAt: beats.dueAt,
    async release() {
      held.clear()
      await beats.release()
    },
    holds: ({ resource }) => held.has(resource),
    hasExpired: beats.hasExpired,
    share: () => ({ held: held.size, shards: wanted.length }),
    holdsTimerLease: () => hasSagas && held.has(timerResource),
    fences(places, withTimers) {
      const resources = new Set(withTimers ? [timerResource] : [])
      for (const { topic, partition } of places) {
        const place = progress.findPartition(topic, partition)
        if (place) resources.add(place.resource)
      }
      return [...resources].map((resource) => {
        return { resource, generation: held.get(resource) ?? 0 }
      })
    },
  }
}
