// Keys do not wait for each other.
//
// A held key must delay nobody else. That is checked in three parts, which together bound the delay of
// every event by the processing of what is before it in its own key and of what is unread before it:
//
// 1. A unit that moves past an event completes it, unless the event has a reason of its own to stay: its
//    own attempt failed or still runs, or, under ordered consumption, an earlier event of its own key is
//    open. So an event waits behind the position of its partition, or behind its own key, for nothing else.
// 2. The position does not stand still: while a stored event is unread, the reader moves on within
//    `SAMPLES_MAX` samples. A partition that waited for a dead letter would stand still until somebody
//    redrives it, which the seed puts off to the end for some events of every consumer.
// 3. A held key moves on once it may: while the event in front is no dead letter, it is called, completed
//    or changes its status within `SAMPLES_MAX` samples, whatever other keys are held.
//
// Samples are taken by the process itself, so a machine that stands still counts none. Retries are due
// within one sample, so the bound is far above what a correct run needs.
import type { OrderCheck } from './order-watch.ts'
import type { Delivered, Lane, LineOf, Reader, World } from './order-world.ts'
import { isResolved, lanesOf, passedBy, readerName, textOf } from './order-world.ts'

/** 100 samples take five seconds. */
export const SAMPLES_MAX = 100

const REASONS: OrderCheck = {
  name: 'an event waits for its own key only',
  watch: (world, report) => {
    /** Lanes where an event was resolved since the last unit of the same consumer that moved on. */
    const resolved = new Map<string, Set<Lane>>()
    return {
      onUnit(unit) {
        const tried = new Set(unit.statuses.map(({ consumer, id }) => `${consumer} ${id}`))
        const completed = new Set(
          unit.effects.flatMap(({ consumer, key, entries }) =>
            entries.map((entry) => textOf({ consumer, key, entry })),
          ),
        )
        const isDone = (event: Delivered): boolean =>
          isResolved(event) || completed.has(textOf(event))
        for (const event of passedBy(world, unit)) {
          const { consumer, id, lane, at } = event
          if (isDone(event) || tried.has(`${consumer} ${id}`)) continue
          const earlier = lane.events.slice(lane.front, at)
          const isBehind = earlier.some((each) => !isDone(each) || wasHeld(world, each))
          // An operator may have resolved the earlier event after this unit was begun.
          const wasBehind = resolved.get(consumer)?.has(lane) ?? false
          if (!lane.isOrdered || !(isBehind || wasBehind))
            report(`${textOf(event)} was passed without an attempt`)
        }
      },
      afterUnit(unit) {
        for (const { consumer, from } of unit.progress) if (from !== null) resolved.delete(consumer)
        for (const lane of lanesOf(world, unit)) {
          const lanes = resolved.get(lane.consumer) ?? new Set()
          resolved.set(lane.consumer, lanes.add(lane))
        }
      },
    }
  },
}

const MOVES_ON: OrderCheck = {
  name: 'a partition does not stand still while something is unread',
  watch: (world, report) => {
    const storedEnd = new Map<string, number>()
    const waited = new Map<Reader, number>()
    const stored = (event: Delivered | undefined): void => {
      if (!event) return
      const name = `${event.topic}/${event.partition}`
      storedEnd.set(name, Math.max(storedEnd.get(name) ?? 0, event.offset + 1))
    }
    return {
      onStart: () => waited.clear(),
      onAck({ batch }) {
        for (const { type, id } of world.batches[batch] ?? [])
          stored(
            world.events.get(`${type === 'story.Write' ? 'story/scribe' : 'story/pages'} ${id}`),
          )
      },
      onUnit(unit) {
        for (const advance of unit.progress) {
          const reader = world.readers.get(readerName(advance))
          if (reader && advance.from !== null && advance.next > reader.next) waited.delete(reader)
        }
        for (const { consumer, key, entries } of unit.effects)
          if (consumer === 'story/scribe')
            for (const entry of entries)
              stored(world.byEntry.get(`story/pages ${key} w${entry.slice(1)}`))
      },
      onSample({ isQuiet }) {
        if (isQuiet) return
        for (const reader of world.readers.values()) {
          const { topic, partition, next } = reader
          if ((storedEnd.get(`${topic}/${partition}`) ?? 0) <= next) continue
          const samples = (waited.get(reader) ?? 0) + 1
          waited.set(reader, samples)
          if (samples === SAMPLES_MAX + 1)
            report(`${readerName(reader)} stays at ${next} for ${SAMPLES_MAX} samples`)
        }
      },
    }
  },
}

/** Whether an event was held before the unit that is about to be applied. */
function wasHeld({ readers }: World, event: Delivered): boolean {
  return !isResolved(event) && event.offset < (readers.get(readerName(event))?.next ?? 0)
}

/** The events of a lane that could go on now: of a queue all, of other consumers the first. */
function movable({ events, front, isOrdered }: Lane, isHeld: (event: Delivered) => boolean) {
  const ahead = isOrdered ? events.slice(front, front + 1) : events.slice(front)
  return ahead.filter((event) => event.status !== 'FAILED' && isHeld(event))
}

const GOES_ON: OrderCheck = {
  name: 'a held key goes on once nothing of its own holds it',
  watch: (world, report) => {
    const waited = new Map<Delivered, number>()
    const isHeld = (event: Delivered): boolean => wasHeld(world, event)
    const open = new Set<Lane>()
    return {
      onStart: () => waited.clear(),
      onCall: (_, event) => void waited.delete(event),
      onUnit(unit: LineOf<'unit'>) {
        for (const event of passedBy(world, unit)) open.add(event.lane)
      },
      afterUnit({ statuses }) {
        for (const { consumer, id } of statuses) {
          const event = world.events.get(`${consumer} ${id}`)
          if (event) waited.delete(event)
        }
      },
      onSample({ isQuiet }) {
        if (isQuiet) return
        for (const lane of open) {
          if (lane.front === lane.events.length) open.delete(lane)
          for (const event of movable(lane, isHeld)) {
            const samples = (waited.get(event) ?? 0) + 1
            waited.set(event, samples)
            if (samples === SAMPLES_MAX + 1)
              report(`${textOf(event)} stays ${event.status} for ${SAMPLES_MAX} samples`)
          }
        }
      },
    }
  },
}

export const WAITING_CHECKS: readonly OrderCheck[] = [REASONS, MOVES_ON, GOES_ON]
