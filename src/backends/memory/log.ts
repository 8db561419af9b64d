import type { Bell } from '../../base/bell.ts'
import type { LogRecord, Place } from '../../ports/log.ts'
import type { EventLog } from '../../ports/log.ts'
import { admit, answersOf } from '../../ports/admit.ts'
import { mustBeStorable } from '../../ports/text.ts'
import { isEmpty, readInTurns } from '../../ports/turns.ts'
import type { Topics } from './topics.ts'

/** The log over topics shared with the store; `delay` waits for the latency of one direction. */
export function memoryLog(topics: Topics, bell: Bell, delay: () => Promise<void>): EventLog {
  let isClosed = false
  return {
    can: { ack: 'memory', atomicBatch: true, places: true, positions: true, findById: true },
    async open() {
      isClosed = false
    },
    async close() {
      isClosed = true
      bell.ring()
    },
    async declare(specs) {
      for (const { name } of specs) mustBeStorable(name, 'the name of a topic')
      await delay()
      return specs.map(topics.declare)
    },
    async append(events, { isAtomic = false } = {}) {
      await delay()
      const verdicts = admit(events, topics, isAtomic)
      const places = new Map<number, Place>()
      for (const [at, event] of events.entries())
        if (verdicts[at]?.is === 'new') places.set(at, placeOf(topics.put(event)))
      if (places.size > 0) bell.ring()
      await delay()
      return answersOf(verdicts, places)
    },
    async read(from, max, { ms, signal }) {
      await delay()
      const look = () => readInTurns(from, max, topics.slice)
      const found = look()
      if (ms <= 0 || isClosed || !isEmpty(found)) return found
      await bell.wait(ms, signal)
      return look()
    },
    async ends(names) {
      await delay()
      return names.flatMap(topics.ends)
    },
    async offsetAt(topic, partition, atMs) {
      await delay()
      return topics.offsetAt(topic, partition, atMs)
    },
    async trim(topic, partition, before) {
      await delay()
      topics.trim(topic, partition, before)
    },
    async compact(topic, partition, before, tombstonesBeforeMs) {
      await delay()
      return topics.compact(topic, partition, before, tombstonesBeforeMs)
    },
    async find(topic, id) {
      await delay()
      return topics.readable(topic, id)
    },
    health: async () => ({ is: 'well', ack: 'memory', detail: 'kept in this process only' }),
  }
}

export function placeOf({ topic, partition, offset }: LogRecord): Place {
  return { topic, partition, offset }
}
