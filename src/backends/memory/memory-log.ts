import type { Notifier } from '../../base/time/notifier.ts'
import type { LogCapabilities, LogRecord, Place } from '../../ports/event-log.ts'
import type { EventLog } from '../../ports/event-log.ts'
import { correlationIn } from '../../contract/envelope.ts'
import { decideAppend, appendResults } from '../../ports/append-decision.ts'
import { assertStorable } from '../../ports/storable-text.ts'
import { isEmpty, readRoundRobin } from '../../ports/round-robin.ts'
import type { Topics } from './topics.ts'

const CAPABILITIES: LogCapabilities = {
  ack: 'memory',
  atomicBatch: true,
  places: true,
  positions: true,
  findById: true,
  findByConversation: true,
}

/** The log over topics shared with the store; `delay` waits for the latency of one direction. */
export function createMemoryLog(
  topics: Topics,
  notifier: Notifier,
  delay: () => Promise<void>,
): EventLog {
  let isClosed = false
  return {
    can: CAPABILITIES,
    async open() {
      isClosed = false
    },
    async close() {
      isClosed = true
      notifier.notify()
    },
    async declare(specs) {
      for (const { name } of specs) assertStorable(name, 'the name of a topic')
      await delay()
      return specs.map(topics.declare)
    },
    async append(events, { isAtomic = false } = {}) {
      await delay()
      const verdicts = decideAppend(events, topics, isAtomic)
      const places = new Map<number, Place>()
      for (const [at, event] of events.entries())
        if (verdicts[at]?.status === 'new') places.set(at, placeOf(topics.append(event)))
      if (places.size > 0) notifier.notify()
      await delay()
      return appendResults(verdicts, places)
    },
    async read(from, max, { ms, signal }) {
      await delay()
      const look = () => readRoundRobin(from, max, topics.slice)
      const found = look()
      if (ms <= 0 || isClosed || !isEmpty(found)) return found
      await notifier.wait(ms, signal)
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
    async conversation(...page) {
      await delay()
      return conversation(topics, ...page)
    },
    health: async () => ({ status: 'well', ack: 'memory', detail: 'kept in this process only' }),
  }
}

export function placeOf({ topic, partition, offset }: LogRecord): Place {
  return { topic, partition, offset }
}

function conversation(
  topics: Topics,
  correlation: string,
  limit: number,
  after = 0,
): readonly LogRecord[] {
  return topics
    .newestFirst()
    .toReversed()
    .filter(({ position = 0 }) => position > after)
    .filter(({ topic, id }) => topics.readable(topic, id) !== undefined)
    .filter(({ id, head }) => id === correlation || correlationIn(head) === correlation)
    .slice(0, limit)
}
