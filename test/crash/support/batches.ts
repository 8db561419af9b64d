// The appended events, as pure functions of seed and number, so that the checks can compute them, too.
import { seededRandom } from '../../../src/base/random.ts'
import { encodeHead } from '../../../src/contract/envelope.ts'
import { partitionOf } from '../../../src/contract/partition.ts'
import type { LogEvent } from '../../../src/ports/event-log.ts'
import { PARTITIONS, TOPICS } from './scenario.ts'

export interface Batch {
  readonly isAtomic: boolean
  readonly events: readonly LogEvent[]
}

const METERS = 13
const AT = 1_700_000_000_000

/** Both kinds of ids: UUIDs, and any other text. */
function idOf(batch: number, at: number): string {
  if (batch % 2 === 0) return `batch ${batch}/${at} ✓`
  const tail = (batch * 100 + at).toString(16).padStart(12, '0')
  return `01890000-0000-7000-8000-${tail}`
}

/** A few events over several topics and keys. Every third batch is atomic. */
export function batchOf(seed: number, batch: number): Batch {
  const random = seededRandom(seed * 1_000_003 + batch)
  const upTo = (count: number): number => 1 + Math.floor(random() * count)
  const isAtomic = batch % 3 === 0
  const count = batch % 20 === 0 ? 60 : upTo(8) + (isAtomic ? 2 : 0)
  const topics = [TOPICS.measured, TOPICS.raised, TOPICS.compacted]
  const events = Array.from({ length: count }, (_, at): LogEvent => {
    // An atomic batch has an event in each of the topics.
    const topic = topics[isAtomic && at < 3 ? at : upTo(3) - 1] as string
    const key = `m${upTo(METERS)}`
    const data = { meter: key, number: batch * 100 + at, text: 'x'.repeat(upTo(300)) }
    return eventOf(topic, idOf(batch, at), key, data)
  })
  return { isAtomic, events }
}

const TYPES: Readonly<Record<string, string>> = {
  [TOPICS.measured]: 'meters.Measured',
  [TOPICS.raised]: 'alarms.Raised',
  [TOPICS.compacted]: 'notes.Noted',
}

export function eventOf(topic: string, id: string, key: string, data: object): LogEvent {
  const type = TYPES[topic] ?? 'scratch.Noted'
  return {
    topic,
    partition: partitionOf(key, PARTITIONS),
    id,
    key,
    type,
    at: AT,
    head: encodeHead({ id, type, key, at: AT, source: 'door', correlation: id, hops: 0 }),
    data: JSON.stringify(data),
  }
}

/** Events of the topic that is trimmed. */
export function trimmedEvents(round: number): readonly LogEvent[] {
  return Array.from({ length: 40 }, (_, at) => {
    const key = `m${at % METERS}`
    return eventOf(TOPICS.trimmed, `trimmed-${round}-${at}`, key, { round, at })
  })
}

export interface Deposit {
  readonly account: string
  readonly deposit: string
  readonly cents: number
}

const ACCOUNTS = 5

export function depositOf(number: number): Deposit {
  return { account: `a${number % ACCOUNTS}`, deposit: `d${number}`, cents: 1 + (number % 97) }
}
