import { pause } from '../base/clock.ts'
import type { Advance, Claim } from '../ports/store.ts'
import { heartbeat } from './lease.ts'
import type { EngineTools } from './tools.ts'
import type { Group } from './plan.ts'
import type { GroupProgress, Place } from './progress.ts'

/**
 * What a group may work on. Assignment and fence are one thing: each unit names the generation of
 * every claim that it acts under.
 */
export interface Claims {
  /** Renews what is held and takes its share, or gives it up; says whether that changed. */
  beat(): Promise<'same' | 'changed'>
  /**
   * Keeps what is held while a unit takes its time, and gives nothing up. Resolves once the signal
   * aborts; before that it calls `lost` when something held has gone to another member, or when no
   * beat was answered for a whole lease.
   */
  keep(signal: AbortSignal, lost: () => void): Promise<void>
  /** When the next beat is due, by `elapsed`. */
  beatDue(): number
  /** Gives everything back, so that another member need not wait for the lease to end. */
  release(): Promise<void>
  holds(place: Pick<Place, 'resource'>): boolean
  /** Whether no beat was answered for a whole lease, so that others may hold it all. */
  isLapsed(): boolean
  /** How much of the group's work is this member's at the moment. */
  share(): Share
  holdsTimers(): boolean
  fences(advances: readonly Advance[], withTimers: boolean): Claim[]
}

/** A member's part of a group's work. */
export interface Share {
  /** Shards that the member holds … */
  readonly held: number
  /** … of how many there are. */
  readonly shards: number
}

export function claimsOf(engine: EngineTools, group: Group, progress: GroupProgress): Claims {
  const { clock, options } = engine
  const { store } = engine.backend
  // Each group is a member of its own, since each beats for itself.
  const beats = heartbeat({ store, clock }, `${engine.member}/${group.id}`, options.leaseMs)
  const wants = [...new Set(progress.places.map(({ resource }) => resource))]
  // Only sagas set timers. They have no key of their own; whoever has the first shard fires them.
  const hasSagas = group.consumers.some(({ rule }) => rule.is === 'saga')
  const timers = `${group.id}/0`
  const held = new Map<string, number>()
  let excess: readonly string[] = []
  const isHeldAs = ({ resource, generation }: Claim): boolean => held.get(resource) === generation

  return {
    async beat() {
      // A beat comes between two units, so nothing is under way where something is given up.
      const isGiving = excess.length > 0
      const answer = await beats.beat(wants, excess)
      // Given up at once, but once only: the next regular beat sees whether anyone has taken it.
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
        // What was gained meanwhile is taken up by the next regular beat.
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
