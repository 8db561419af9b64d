import { within } from '../base/clock.ts'
import type { Advance, Claim } from '../ports/store.ts'
import type { EngineTools } from './tools.ts'
import type { Group } from './plan.ts'
import type { GroupProgress, Place } from './progress.ts'

/**
 * What a group may work on. Assignment and fence are one thing: each unit names the generation of
 * every claim that it acts under.
 */
export interface Claims {
  /** Renews what is held and takes its share; says whether that changed. */
  beat(): Promise<'same' | 'changed'>
  /** When the next beat is due. */
  beatDue(): number
  /** Gives everything back, so that another member need not wait for the lease to end. */
  release(): Promise<void>
  holds(place: Place): boolean
  holdsTimers(): boolean
  fences(advances: readonly Advance[], withTimers: boolean): Claim[]
}

export function claimsOf(engine: EngineTools, group: Group, progress: GroupProgress): Claims {
  const { clock, options } = engine
  // Each group is a member of its own, since each beats for itself.
  const member = `${engine.member}/${group.name}`
  const { store } = engine.backend
  const timers = `${group.name}/timers`
  const hasSagas = group.consumers.some(({ rule }) => rule.is === 'saga')
  const wants = [...progress.places.map(({ resource }) => resource), ...(hasSagas ? [timers] : [])]
  const held = new Map<string, number>()
  let beatDue = 0
  let excess: readonly string[] = []
  return {
    async beat() {
      // A beat comes between two units, so nothing is under way where something is given up.
      const call = store.beat({ id: member }, wants, options.leaseMs, excess)
      const answer = await within(clock, options.deadlineMs, call)
      beatDue = clock.now() + Math.floor(options.leaseMs / 3)
      if (!answer) return 'same'
      excess = answer.release
      if (excess.length > 0) beatDue = clock.now()
      const isSame =
        answer.held.length === held.size &&
        answer.held.every(({ resource, generation }) => held.get(resource) === generation)
      if (isSame) return 'same'
      held.clear()
      for (const { resource, generation } of answer.held) held.set(resource, generation)
      return 'changed'
    },
    beatDue: () => beatDue,
    async release() {
      held.clear()
      await store.beat({ id: member }, [], options.leaseMs)
    },
    holds: ({ resource }) => held.has(resource),
    holdsTimers: () => held.has(timers),
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
