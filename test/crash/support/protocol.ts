// The protocol between the killed process and its test: the lines that the process writes, and the
// state that the test derives from them.
import type { Batch } from './batches.ts'
import { batchOf, trimmedEvents } from './batches.ts'

/** The kind of a numbered batch. */
export type BatchKind = 'batch' | 'trimmed'

/** One line of the process, written before an operation begins or after it was acked. */
export type ProtocolLine =
  | { readonly kind: 'up' }
  | { readonly kind: 'try'; readonly batchKind: BatchKind; readonly number: number }
  | {
      readonly kind: 'ack'
      readonly batchKind: BatchKind
      readonly number: number
      readonly offsets: readonly number[]
    }
  | { readonly kind: 'sending' | 'sent'; readonly deposit: number }
  | { readonly kind: 'effect'; readonly deposit: string; readonly key: string }
  | { readonly kind: 'trimming' | 'trimmed'; readonly partition: number; readonly before: number }
  | {
      readonly kind: 'compacting' | 'compacted'
      readonly partition: number
      readonly before: number
    }
  | { readonly kind: 'creating' | 'created'; readonly topic: string }
  | { readonly kind: 'armed'; readonly moment: string }
  | { readonly kind: 'settled' }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'wrong'; readonly what: string }

/** The highest offset that was requested, and the highest that was acked. */
export interface Reach {
  readonly tried: number
  readonly acked: number
}

/** Everything that processes reported about their work in one directory. */
export interface Observed {
  readonly seed: number
  isUp: boolean
  /** Numbers of batches, in the order in which they were first tried. */
  readonly tried: Readonly<Record<BatchKind, Set<number>>>
  /** Offsets of acked events, by kind and number of the batch. */
  readonly acked: Readonly<Record<BatchKind, Map<number, readonly number[]>>>
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

export function createObserved(seed: number): Observed {
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

export function observe(observed: Observed, line: ProtocolLine): void {
  const { tried, acked, effects, topics, wrong } = observed
  if (line.kind === 'up') observed.isUp = true
  else if (line.kind === 'try') tried[line.batchKind].add(line.number)
  else if (line.kind === 'ack') {
    const before = acked[line.batchKind].get(line.number)
    if (before && String(before) !== String(line.offsets))
      wrong.push(
        `${line.batchKind} ${line.number} was acked at ${String(before)}, then at ${String(line.offsets)}`,
      )
    acked[line.batchKind].set(line.number, line.offsets)
  } else if (line.kind === 'sending') observed.sending.add(line.deposit)
  else if (line.kind === 'sent') observed.sent.add(line.deposit)
  else if (line.kind === 'effect') {
    const keys = effects.get(line.deposit) ?? new Set()
    effects.set(line.deposit, keys.add(line.key))
  } else if (line.kind === 'trimming' || line.kind === 'trimmed')
    extendReach(observed.trimmed, line, line.kind === 'trimmed')
  else if (line.kind === 'compacting' || line.kind === 'compacted')
    extendReach(observed.compacted, line, line.kind === 'compacted')
  else if (line.kind === 'creating') topics.set(line.topic, topics.get(line.topic) ?? false)
  else if (line.kind === 'created') topics.set(line.topic, true)
  else if (line.kind === 'wrong') wrong.push(line.what)
}

interface CutBefore {
  readonly partition: number
  readonly before: number
}

function extendReach(
  reaches: Map<number, Reach>,
  { partition, before }: CutBefore,
  isAcked: boolean,
): void {
  const { tried, acked } = reaches.get(partition) ?? { tried: 0, acked: 0 }
  reaches.set(partition, {
    tried: Math.max(tried, before),
    acked: isAcked ? Math.max(acked, before) : acked,
  })
}

/** The events of a numbered batch. */
export function batchNamed(seed: number, kind: BatchKind, number: number): Batch {
  if (kind === 'batch') return batchOf(seed, number)
  return { isAtomic: false, events: trimmedEvents(number) }
}

/** What the next process must send again first, in order. */
export interface Unfinished {
  readonly batches: readonly number[]
  readonly deposits: readonly number[]
}

export function unfinishedOf({ tried, acked, sending, sent }: Observed): Unfinished {
  return {
    batches: [...tried.batch].filter((number) => !acked.batch.has(number)),
    deposits: [...sending].filter((number) => !sent.has(number)),
  }
}
