import { pause } from '../base/clock.ts'
import type { Advance, Claim } from '../ports/store.ts'
import { heartbeat } from './lease.ts'
import type { EngineTools } from './tools.ts'
import type { Group } from './plan.ts'
import type { GroupProgress, Place } from './progress.ts'
import type { LeaseShare } from './watch.ts'

/**
 * The leases of a group: which shards this process may work on. Leases are fencing tokens as well:
 * each unit names the generation of every lease that it relies on.
 */
export interface Claims {
  /** Renews leases and takes or releases shares; returns whether the set has changed. */
  beat(): Promise<'same' | 'changed'>
  /**
   * Renews leases while a unit takes long, and releases none. Resolves once the signal aborts.
   * Before that, calls `lost` if another member has taken one of the leases, or if no heartbeat was
   * answered for a whole lease time.
   */
  keep(signal: AbortSignal, lost: () => void): Promise<void>
  /** When the next heartbeat is due, by `elapsed`. */
  beatDue(): number
  /** Releases all leases, so that other members need not wait for them to expire. */
  release(): Promise<void>
  holds(place: Pick<Place, 'resource'>): boolean
  /**
   * Whether no heartbeat was answered for a whole lease time, so that other members may hold every
   * lease.
   */
  isLapsed(): boolean
  /** How many of the group's shards this member holds. */
  share(): LeaseShare
  holdsTimers(): boolean
  fences(advances: readonly Advance[], withTimers: boolean): Claim[]
}

export function claimsOf(engine: EngineTools, group: Group, progress: GroupProgress): Claims {
  const { clock, options } = engine
  const { store } = engine.backend
  // Each group sends its own heartbeats, so each is a member of its own.
  const beats = heartbeat({ store, clock }, `${engine.member}/${group.id}`, options.leaseMs)
  const wants = [...new Set(progress.places.map(({ resource }) => resource))]
  // Only sagas set timers. Timers have no key: the member with the first shard fires them.
  const hasSagas = group.consumers.some(({ rule }) => rule.is === 'saga')
  const timers = `${group.id}/0`
  const held = new Map<string, number>()
  let excess: readonly string[] = []
  const isHeldAs = ({ resource, generation }: Claim): boolean => held.get(resource) === generation

  return {
    async beat() {
      // Heartbeats run between units, so no work is in progress on a shard that is released.
      const isGiving = excess.length > 0
      const answer = await beats.beat(wants, excess)
      // Release excess shards at once, but only once: the next regular heartbeat sees whether
      // another member took them.
      excess = isGiving ? [] : answer.release
      if (excess.length > 0) beats.hasten()
      if (answer.held.length === held.size && answer.held.every(isHeldAs)) return 'same'
      held.clear()
      for (const { resource, generation } of answer.held) held.set(resource, generation)
      return 'changed'
    },
    async keep(signal, lost) {
      for (;;) {
        await pause(clock, Math.max(0, beats.dueAt() - clock.elapsed()), signal)
        if (signal.aborted) return
        const answer = await beats.beat(wants).catch(() => undefined)
        // Shards gained meanwhile are picked up by the next regular heartbeat.
        const isKept = answer
          ? answer.held.filter(isHeldAs).length === held.size
          : !beats.isLapsed()
        if (!isKept) return lost()
      }
    },
    beatDue: beats.dueAt,
    async release() {
      held.clear()
      await beats.release()
    },
    holds: ({ resource }) => held.has(resource),
    isLapsed: beats.isLapsed,
    share: () => ({ held: held.size, shards: wants.length }),
    holdsTimers: () => hasSagas && held.has(timers),
    fences(advances, withTimers) {
      const resources = new Set(withTimers ? [timers] : [])
      for (const { topic, partition } of advances) {
        const place = progress.placeOf(topic, partition)
        if (place) resources.add(place.resource)
      }
      return [...resources].map((resource) => {
        return { resource, generation: held.get(resource) ?? 0 }
      })
    },
  }
}
