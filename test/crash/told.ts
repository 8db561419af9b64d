// The protocol between the killed process and its test: the lines that the process writes, and the
// state that the test derives from them.
import type { Batch } from './batches.ts'
import { batchOf, trimmedEvents } from './batches.ts'

/** The kind of a numbered batch. */
export type Kind = 'batch' | 'trimmed'

/** One line of the process, written before an operation begins or after it was acked. */
export type Line =
  | { readonly is: 'up' }
  | { readonly is: 'try'; readonly kind: Kind; readonly number: number }
  | {
      readonly is: 'ack'
      readonly kind: Kind
      readonly number: number
      readonly offsets: readonly number[]
    }
  | { readonly is: 'sending' | 'sent'; readonly deposit: number }
  | { readonly is: 'effect'; readonly deposit: string; readonly key: string }
  | { readonly is: 'trimming' | 'trimmed'; readonly partition: number; readonly before: number }
  | { readonly is: 'compacting' | 'compacted'; readonly partition: number; readonly before: number }
  | { readonly is: 'creating' | 'created'; readonly topic: string }
  | { readonly is: 'armed'; readonly moment: string }
  | { readonly is: 'settled' }
  | { readonly is: 'stopped' }
  | { readonly is: 'wrong'; readonly what: string }

/** The highest offset that was requested, and the highest that was acked. */
export interface Reach {
  readonly tried: number
  readonly acked: number
}

/** Everything that processes reported about their work in one directory. */
export interface Told {
  readonly seed: number
  isUp: boolean
  /** Numbers of batches, in the order in which they were first tried. */
  readonly tried: Readonly<Record<Kind, Set<number>>>
  /** Offsets of acked events, by kind and number of the batch. */
  readonly acked: Readonly<Record<Kind, Map<number, readonly number[]>>>
  readonly sending: Set<number>
  readonly sent: Set<number>
  /** The effect keys with which the handler was called, by deposit. */
  readonly effects: Map<string, Set<string>>
  /** By partition. */
  readonly trimmed: Map<number, Reach>
  readonly compacted: Map<number, Reach>
  /** Whether the declaration of a topic was acked. */
  readonly topics: Map<string, boolean>
  readonly wrong: string[]
}

export function nothingTold(seed: number): Told {
  return {
    seed,
    isUp: false,
    tried: { batch: new Set(), trimmed: new Set() },
    acked: { batch: new Map(), trimmed: new Map() },
    sending: new Set(),
    sent: new Set(),
    effects: new Map(),
    trimmed: new Map(),
    compacted: new Map(),
    topics: new Map(),
    wrong: [],
  }
}

export function learn(told: Told, line: Line): void {
  const { tried, acked, effects, topics, wrong } = told
  if (line.is === 'up') told.isUp = true
  else if (line.is === 'try') tried[line.kind].add(line.number)
  else if (line.is === 'ack') {
    const before = acked[line.kind].get(line.number)
    if (before && String(before) !== String(line.offsets))
      wrong.push(
        `${line.kind} ${line.number} was acked at ${String(before)}, then at ${String(line.offsets)}`,
      )
    acked[line.kind].set(line.number, line.offsets)
  } else if (line.is === 'sending') told.sending.add(line.deposit)
  else if (line.is === 'sent') told.sent.add(line.deposit)
  else if (line.is === 'effect') {
    const keys = effects.get(line.deposit) ?? new Set()
    effects.set(line.deposit, keys.add(line.key))
  } else if (line.is === 'trimming' || line.is === 'trimmed')
    reach(told.trimmed, line, line.is === 'trimmed')
  else if (line.is === 'compacting' || line.is === 'compacted')
    reach(told.compacted, line, line.is === 'compacted')
  else if (line.is === 'creating') topics.set(line.topic, topics.get(line.topic) ?? false)
  else if (line.is === 'created') topics.set(line.topic, true)
  else if (line.is === 'wrong') wrong.push(line.what)
}

interface Upkeep {
  readonly partition: number
  readonly before: number
}

function reach(reaches: Map<number, Reach>, { partition, before }: Upkeep, isAcked: boolean): void {
  const { tried, acked } = reaches.get(partition) ?? { tried: 0, acked: 0 }
  reaches.set(partition, {
    tried: Math.max(tried, before),
    acked: isAcked ? Math.max(acked, before) : acked,
  })
}

/** The events of a numbered batch. */
export function eventsNamed(seed: number, kind: Kind, number: number): Batch {
  if (kind === 'batch') return batchOf(seed, number)
  return { isAtomic: false, events: trimmedEvents(number) }
}

/** What the next process must send again first, in order. */
export interface Open {
  readonly batches: readonly number[]
  readonly deposits: readonly number[]
}

export function openOf({ tried, acked, sending, sent }: Told): Open {
  return {
    batches: [...tried.batch].filter((number) => !acked.batch.has(number)),
    deposits: [...sending].filter((number) => !sent.has(number)),
  }
}
