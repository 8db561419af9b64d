import { compositeKey } from '../base/composite-key.ts'
import { orderId } from './composite-keys.ts'
import type { DamagedRange } from './damage.ts'
import { damageText } from './damage.ts'
import type { Answer, LogEvent, LogRefusal, Place } from './log.ts'
import { unstorableIn } from './text.ts'

/** The part of a stored event that decides whether an event with the same id is a duplicate. */
export interface Stored extends Place {
  readonly key: string
  readonly type: string
  readonly data: string | null
  /** Present where the log no longer has the data: whether the event had exactly this data. */
  readonly isOf?: (data: string | null) => boolean
}

/** What `decideAppend` asks a log about its topics and events. */
export interface Admission {
  /** The number of partitions of a topic; `undefined` where there is no such topic. */
  partitions(topic: string): number | undefined
  find(topic: string, id: string): Stored | undefined
  /** The damage that stops a partition; nothing is appended to it. Only for logs that detect damage. */
  stops?(topic: string, partition: number): DamagedRange | undefined
}

/** What to do with one event: store it, or answer at once. */
export type Verdict =
  | { readonly is: 'new' }
  /** A duplicate of an earlier event of the same call, which has this index. */
  | { readonly is: 'duplicate'; readonly of: number }
  | Extract<Answer, { readonly is: 'stored' | 'refused' }>

/**
 * Decides which events of one append are stored, as a pure function, so that every log answers
 * alike: a duplicate counts as stored, another event under a known id is a conflict, and no event of
 * a key is stored after one of that key was refused. Returns one decision per event.
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
  const rest = refusal('BATCH_REFUSED', 'another event of the atomic batch was refused')
  return verdicts.map((verdict) => (verdict.is === 'refused' ? verdict : rest))
}

/**
 * Checks the appends of a unit of work. The engine generates their ids, so a refusal is a bug of the
 * caller.
 *
 * @throws Error when an event is not new; nothing has changed then
 */
export function mustBeNew(events: readonly LogEvent[], log: Admission): void {
  for (const [at, verdict] of admit(events, log).entries()) {
    if (verdict.is === 'new') continue
    const { topic, id } = events[at] as LogEvent
    const why =
      verdict.is === 'refused' ? verdict.detail : 'the log already has an event with this id'
    throw new Error(`the unit cannot append event ${id} to ${topic}: ${why}`)
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
  if (count === undefined) return refusal('TOPIC_NOT_FOUND', `the topic ${topic} does not exist`)
  if (!Number.isInteger(partition) || partition < 0 || partition >= count)
    return refusal(
      'PARTITION_NOT_FOUND',
      `${topic} has ${count} partitions and no partition ${partition}`,
    )
  const field = unstorableIn(event)
  if (field !== undefined)
    return refusal('TEXT_NOT_STORABLE', `its ${field} contains a lone surrogate or a NUL`)
  const twin = seen.get(compositeKey(topic, id))
  const known = twin === undefined ? log.find(topic, id) : (events[twin] as LogEvent)
  if (known && !isSame(known, event))
    return refusal('ID_CONFLICT', `${topic} already has another event with the id ${id}`)
  if (twin !== undefined) return { is: 'duplicate', of: twin }
  if (known) return { is: 'stored', isRepeat: true, place: placeOf(known as Stored) }
  const damage = log.stops?.(topic, partition)
  if (damage !== undefined)
    return refusal('LOG_DAMAGED', `${topic}/${partition} is damaged: ${damageText(damage)}`)
  if (broken.has(orderId(event)))
    return refusal(
      'EARLIER_NOT_STORED',
      `an earlier event of the key ${event.key} in this call was not stored`,
    )
  return { is: 'new' }
}

/** Builds the results once the new events are stored; `places` has the place of each by index. */
export function answersOf(
  verdicts: readonly Verdict[],
  places: ReadonlyMap<number, Place>,
): readonly Answer[] {
  return verdicts.map((verdict, at) => {
    if (verdict.is === 'stored' || verdict.is === 'refused') return verdict
    const isRepeat = verdict.is === 'duplicate'
    const place = places.get(isRepeat ? verdict.of : at)
    return { is: 'stored', isRepeat, ...(place ? { place } : {}) }
  })
}

function refusal(code: LogRefusal, detail: string): Verdict {
  return { is: 'refused', code, detail }
}

/** A duplicate may differ in its head, for example in its trace; never in key, type or data. */
function isSame(known: Omit<Stored, keyof Place>, event: LogEvent): boolean {
  const { key, type, data, isOf } = known
  if (key !== event.key || type !== event.type) return false
  return isOf ? isOf(event.data) : data === event.data
}

function placeOf({ topic, partition, offset }: Place): Place {
  return { topic, partition, offset }
}
