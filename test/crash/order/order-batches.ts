// The events of a randomised run, made from the seed alone.
import type { Message } from 'throughline'
import { seededRandom } from '../../../src/base/random.ts'
import type { Line } from './order-scenario.ts'
import { Notes, Story } from './order-scenario.ts'

export interface OrderSize {
  readonly seed: number
  readonly keys: number
  readonly events: number
}

/** An event from outside. */
export interface ProducedEvent extends Line {
  readonly id: string
  /** The wire name. */
  readonly type: 'story.Write' | 'notes.Noted'
}

const BATCH = 20

/** The share of the events that belong to one key, so that many of them wait behind a dead letter. */
const HOT_SHARE = 0.1

/** All batches in the order in which they are produced; half of the events are commands. */
export function batchesOf({
  seed,
  keys,
  events,
}: OrderSize): readonly (readonly ProducedEvent[])[] {
  const random = seededRandom(seed)
  const numbers = new Map<string, number>()
  const produced = Array.from({ length: events }, (): ProducedEvent => {
    const key = random() < HOT_SHARE ? 'k0' : `k${Math.floor(random() * keys)}`
    const type = random() < 0.5 ? 'story.Write' : 'notes.Noted'
    const number = (numbers.get(`${type} ${key}`) ?? 0) + 1
    numbers.set(`${type} ${key}`, number)
    return { key, type, number, id: `${type === 'story.Write' ? 'c' : 'n'}${number}@${key}` }
  })
  return Array.from({ length: Math.ceil(events / BATCH) }, (_, batch) =>
    produced.slice(batch * BATCH, (batch + 1) * BATCH),
  )
}

export function messageOf({ type, key, number }: ProducedEvent): Message {
  return type === 'story.Write' ? Story.Write({ key, number }) : Notes.Noted({ key, number })
}
