// The order of the events of a key, and that each takes effect once.
import type { OrderCheck } from './order-watch.ts'
import { CONSUMERS } from './order-scenario.ts'
import type { Line } from './order-scenario.ts'
import type { Delivered, Lane, World } from './order-world.ts'
import { isResolved, textOf } from './order-world.ts'

const PRODUCED_ORDER: OrderCheck = {
  name: 'the log has every produced event once, in the order of its key',
  watch: ({ batches, state }, report) => ({
    onEnd() {
      const stored = new Map<string, number[]>()
      const inOrder = state.records.toSorted((a, b) => (a.position ?? 0) - (b.position ?? 0))
      for (const { type, key, data } of inOrder) {
        const numbers = stored.get(`${type} ${key}`) ?? []
        stored.set(`${type} ${key}`, [...numbers, (JSON.parse(data ?? '{}') as Line).number])
      }
      const produced = new Map<string, number>()
      for (const { type, key, number } of batches.flat()) produced.set(`${type} ${key}`, number)
      for (const [name, count] of produced) {
        const numbers = stored.get(name)?.join() ?? ''
        const expected = Array.from({ length: count }, (_, at) => at + 1).join()
        if (numbers !== expected) report(`${name}: ${numbers} in place of ${expected}`)
      }
    },
  }),
}

/** The first event of a lane from a place on that is neither completed nor discarded. */
function openFrom({ events }: Lane, from: number): Delivered | undefined {
  let at = from
  while (at < events.length && isResolved(events[at] as Delivered)) at += 1
  return events[at]
}

const HANDLED_ORDER: OrderCheck = {
  name: 'the events of a key are completed in the order of the log',
  watch: (world, report) => ({
    onUnit({ effects }) {
      for (const { consumer, key, entries } of effects) {
        const lane = world.lanes.get(`${consumer} ${key}`)
        if (!lane?.isOrdered) continue
        let from = lane.front
        for (const entry of entries) {
          const front = openFrom(lane, from)
          if (front?.entry !== entry)
            report(`${textOf({ consumer, key, entry })} is completed before ${front?.entry}`)
          from = (front?.at ?? from) + 1
        }
      }
    },
  }),
}

const WAITS: OrderCheck = {
  name: 'no event is handled while an earlier one of its key is open',
  watch: (world, report) => ({
    onCall(_, event) {
      const { lane } = event
      if (!lane.isOrdered) return
      for (const earlier of lane.events.slice(lane.front, event.at)) {
        if (isResolved(earlier)) continue
        const { last } = earlier
        // Called in this instance, and not yet committed.
        if (last?.outcome === 'ok' && last.instance === world.instance) continue
        report(`${textOf(event)} is called while ${earlier.entry} is ${earlier.status}`)
      }
    },
  }),
}

const EFFECTS_ONCE: OrderCheck = {
  name: 'every event takes effect once',
  watch: (world, report) => ({
    onUnit({ effects }) {
      const seen = new Set<string>()
      for (const { consumer, key, entries } of effects)
        for (const entry of entries) {
          const name = textOf({ consumer, key, entry })
          const event = world.byEntry.get(name)
          if (!event) report(`${name} takes effect and is not in the log`)
          else if (event.isCompleted || seen.has(name)) report(`${name} takes effect again`)
          seen.add(name)
        }
    },
    onEnd() {
      for (const event of world.events.values())
        if (!isResolved(event)) report(`${textOf(event)} is neither completed nor discarded`)
        else if (event.isCompleted && event.isDiscarded)
          report(`${textOf(event)} is completed and discarded`)
    },
  }),
}

/** The entries of a lane that the final state shows. */
function finalEntries(
  { state }: World,
  consumer: string,
  published: Map<string, string[]>,
  key: string,
) {
  const { effect } = CONSUMERS[consumer] ?? { effect: { type: '' } }
  return 'table' in effect
    ? (state.rows[`${consumer} ${key}`] ?? [])
    : (published.get(`${effect.type} ${key}`) ?? [])
}

const FINAL_STATE: OrderCheck = {
  name: 'the final state has the effects that were committed',
  watch: (world, report) => {
    const committed = new Map<string, string[]>()
    return {
      onUnit({ effects }) {
        for (const { consumer, key, entries } of effects) {
          const known = committed.get(`${consumer} ${key}`)
          if (known) known.push(...entries)
          else committed.set(`${consumer} ${key}`, [...entries])
        }
      },
      onEnd() {
        const published = publishedEntries(world)
        for (const { consumer, key } of world.lanes.values()) {
          const found = finalEntries(world, consumer, published, key).join()
          const expected = (committed.get(`${consumer} ${key}`) ?? []).join()
          if (found !== expected) report(`${consumer} ${key}: ${found} in place of ${expected}`)
        }
      },
    }
  },
}

/** The entries of the events that consumers have published, by wire name and key. */
function publishedEntries({ state }: World): Map<string, string[]> {
  const prefixes = new Map<string, string>()
  for (const { effect, reads } of Object.values(CONSUMERS))
    if ('type' in effect) prefixes.set(effect.type, Object.values(reads)[0] ?? '')
  const published = new Map<string, string[]>()
  const inOrder = state.records.toSorted((a, b) => (a.position ?? 0) - (b.position ?? 0))
  for (const { type, key, data } of inOrder) {
    const prefix = prefixes.get(type)
    if (prefix === undefined) continue
    const entry = `${prefix}${(JSON.parse(data ?? '{}') as Line).number}`
    const known = published.get(`${type} ${key}`)
    if (known) known.push(entry)
    else published.set(`${type} ${key}`, [entry])
  }
  return published
}

const RESOLVED: OrderCheck = {
  name: 'an event is not handled again after it was completed or discarded',
  watch: (world, report) => ({
    onCall(_, event) {
      if (event.isCompleted) report(`${textOf(event)} is called after it was completed`)
      if (event.isDiscarded) report(`${textOf(event)} is called after it was discarded`)
    },
    onUnit({ effects }) {
      for (const { consumer, key, entries } of effects)
        for (const entry of entries) {
          const event = world.byEntry.get(textOf({ consumer, key, entry }))
          if (event?.isDiscarded) report(`${textOf(event)} takes effect after it was discarded`)
        }
    },
  }),
}

const EFFECT_KEYS: OrderCheck = {
  name: 'every attempt at an event has its effect key, and no other event has it',
  watch: (_, report) => {
    const keys = new Map<Delivered, string>()
    const owners = new Map<string, Delivered>()
    return {
      onBegin({ effectKey }, event) {
        const [key = effectKey, owner = event] = [keys.get(event), owners.get(effectKey)]
        if (key !== effectKey) report(`${textOf(event)} has the effect keys ${key}, ${effectKey}`)
        if (owner !== event) report(`${effectKey} is of ${textOf(owner)} and ${textOf(event)}`)
        keys.set(event, key)
        owners.set(effectKey, owner)
      },
    }
  },
}

const ONE_AT_A_TIME: OrderCheck = {
  name: 'the handler of a key has one call at a time',
  watch: (_, report) => {
    const running = new Map<Lane | Delivered, Delivered>()
    /** In a queue, each event is handled by itself. */
    const scopeOf = (event: Delivered) => (event.lane.isOrdered ? event.lane : event)
    return {
      onStart: () => running.clear(),
      onBegin(__, event) {
        const other = running.get(scopeOf(event))
        if (other) report(`${textOf(event)} begins while ${other.entry} runs`)
        running.set(scopeOf(event), event)
      },
      onCall: (__, event) => void running.delete(scopeOf(event)),
    }
  },
}

export const SEQUENCE_CHECKS: readonly OrderCheck[] = [
  PRODUCED_ORDER,
  HANDLED_ORDER,
  WAITS,
  EFFECTS_ONCE,
  FINAL_STATE,
  RESOLVED,
  EFFECT_KEYS,
  ONE_AT_A_TIME,
]
