import { compositeKey } from '../base/composite-key.ts'
import { orderId } from './composite-keys.ts'
import type { Answer, LogEvent, LogRefusal, Place } from './log.ts'
import { unstorableIn } from './text.ts'

/** An event that the log has already, as far as it tells whether another one is the same. */
export interface Stored extends Place {
  readonly key: string
  readonly type: string
  readonly data: string | null
  /** Where the log keeps the data no more: whether this is what the event said. */
  readonly isOf?: (data: string | null) => boolean
}

/** What a log knows when it decides which events it takes. */
export interface Admission {
  /** The number of partitions of a topic, if there is such a topic. */
  partitions(topic: string): number | undefined
  find(topic: string, id: string): Stored | undefined
  /** What a damaged partition stands at; nothing is added to it. Only where damage is noticed. */
  stops?(topic: string, partition: number): string | undefined
}

/** What shall become of one event: stored, or answered at once. */
export type Verdict =
  | { readonly is: 'new' }
  /** A repeat of an earlier event of the same call. */
  | { readonly is: 'twin'; readonly of: number }
  | Extract<Answer, { readonly is: 'stored' | 'refused' }>

/**
 * Which events of one append a log takes, as a pure step, so that every log answers alike: a repeat
 * is stored already, another event under a known id is a conflict, and nothing of a key passes an
 * event of that key that was not stored. One verdict per event.
 */
export function admit(
  events: readonly LogEvent[],
  log: Admission,
  isAtomic = false,
): readonly Verdict[] {
  const seen = new Map<string, number>()
  const broken = new Set<string>()
  const verdicts = events.map((event, at): Verdict => {
    const verdict = verdictOn(event, log, seen, broken, events)
    if (verdict.is === 'refused') broken.add(orderId(event))
    else if (verdict.is === 'new') seen.set(compositeKey(event.topic, event.id), at)
    return verdict
  })
  const refused = isAtomic && verdicts.find(({ is }) => is === 'refused')
  if (!refused) return verdicts
  const rest = refusal('BATCH_REFUSED', 'another event of the batch was refused')
  return verdicts.map((verdict) => (verdict.is === 'refused' ? verdict : rest))
}

/**
 * A unit's appends have ids of their own making, so nothing but a broken caller can be refused.
 *
 * @throws Error when one is not new, before anything has changed
 */
export function mustBeNew(events: readonly LogEvent[], log: Admission): void {
  for (const [at, verdict] of admit(events, log).entries()) {
    if (verdict.is === 'new') continue
    const { topic, id } = events[at] as LogEvent
    const why = verdict.is === 'refused' ? verdict.detail : 'the log has it already'
    throw new Error(`a unit cannot append ${id} to ${topic}: ${why}`)
  }
}

function verdictOn(
  event: LogEvent,
  log: Admission,
  seen: ReadonlyMap<string, number>,
  broken: ReadonlySet<string>,
  events: readonly LogEvent[],
): Verdict {
  const { topic, partition, id } = event
  const count = log.partitions(topic)
  if (count === undefined) return refusal('TOPIC_NOT_FOUND', `there is no topic ${topic}`)
  if (!Number.isInteger(partition) || partition < 0 || partition >= count)
    return refusal('PARTITION_NOT_FOUND', `${topic} has ${count} partitions, not ${partition}`)
  const field = unstorableIn(event)
  if (field !== undefined)
    return refusal('TEXT_NOT_STORABLE', `its ${field} has a lone surrogate or a NUL`)
  const twin = seen.get(compositeKey(topic, id))
  const known = twin === undefined ? log.find(topic, id) : (events[twin] as LogEvent)
  if (known && !isSame(known, event))
    return refusal('ID_CONFLICT', `${topic} holds another event under the id ${id}`)
  if (twin !== undefined) return { is: 'twin', of: twin }
  if (known) return { is: 'stored', isRepeat: true, place: placeOf(known as Stored) }
  const damage = log.stops?.(topic, partition)
  if (damage !== undefined)
    return refusal('LOG_DAMAGED', `${topic}/${partition} is damaged: ${damage}`)
  if (broken.has(orderId(event)))
    return refusal('EARLIER_NOT_STORED', `an earlier event of the key ${event.key} was not stored`)
  return { is: 'new' }
}

/** The answers, once every new event has its place; `places` are in the order of the events. */
export function answersOf(
  verdicts: readonly Verdict[],
  places: ReadonlyMap<number, Place>,
): readonly Answer[] {
  return verdicts.map((verdict, at) => {
    if (verdict.is === 'stored' || verdict.is === 'refused') return verdict
    const isRepeat = verdict.is === 'twin'
    const place = places.get(isRepeat ? verdict.of : at)
    return { is: 'stored', isRepeat, ...(place ? { place } : {}) }
  })
}

function refusal(code: LogRefusal, detail: string): Verdict {
  return { is: 'refused', code, detail }
}

/** What was sent again may differ in its head, such as in its trace; never in what it says. */
function isSame(known: Omit<Stored, keyof Place>, event: LogEvent): boolean {
  const { key, type, data, isOf } = known
  if (key !== event.key || type !== event.type) return false
  return isOf ? isOf(event.data) : data === event.data
}

function placeOf({ topic, partition, offset }: Place): Place {
  return { topic, partition, offset }
}
