import { compositeKey } from '../base/composite-key.ts'
import { orderId } from './composite-keys.ts'
import type { DamagedRange } from './damage.ts'
import { damageText } from './damage.ts'
import type { LogAppendResult, LogEvent, LogRefusalCode, Place } from './event-log.ts'
import { unstorableField } from './storable-text.ts'

/** The part of a stored event that decides whether an event with the same id is a duplicate. */
export interface StoredEvent extends Place {
  readonly key: string
  readonly type: string
  readonly data: string | null
  /** Present where the log no longer has the data: whether the event had exactly this data. */
  readonly matchesData?: (data: string | null) => boolean
}

/** What `decideAppend` asks a log about its topics and events. */
export interface AppendLookup {
  /** The number of partitions of a topic; `undefined` where there is no such topic. */
  partitions(topic: string): number | undefined
  find(topic: string, id: string): StoredEvent | undefined
  /** The damage that stops a partition; nothing is appended to it. Only for logs that detect damage. */
  damageAt?(topic: string, partition: number): DamagedRange | undefined
}

/** What to do with one event: store it, or answer at once. */
export type AppendDecision =
  | { readonly status: 'new' }
  /** A duplicate of an earlier event of the same call, which has this index. */
  | { readonly status: 'duplicate'; readonly firstIndex: number }
  | Extract<LogAppendResult, { readonly status: 'stored' | 'refused' }>

/**
 * Decides which events of one append are stored, as a pure function, so that every log answers
 * alike: a duplicate counts as stored, another event under a known id is a conflict, and no event of
 * a key is stored after one of that key was refused. Returns one decision per event.
 */
export function decideAppend(
  events: readonly LogEvent[],
  log: AppendLookup,
  isAtomic = false,
): readonly AppendDecision[] {
  const seen = new Map<string, number>()
  const failedKeys = new Set<string>()
  const decisions = events.map((event, at): AppendDecision => {
    const decision = decideOne(event, log, seen, failedKeys, events)
    if (decision.status === 'refused') failedKeys.add(orderId(event))
    else if (decision.status === 'new') seen.set(compositeKey(event.topic, event.id), at)
    return decision
  })
  const refused = isAtomic && decisions.find(({ status }) => status === 'refused')
  if (!refused) return decisions
  const rest = refusal('BATCH_REFUSED', 'another event of the atomic batch was refused')
  return decisions.map((decision) => (decision.status === 'refused' ? decision : rest))
}

/**
 * Checks the appends of a unit of work. The engine generates their ids, so a refusal is a bug of the
 * caller.
 *
 * @throws Error when an event is not new; nothing has changed then
 */
export function assertNewEvents(events: readonly LogEvent[], log: AppendLookup): void {
  for (const [at, decision] of decideAppend(events, log).entries()) {
    if (decision.status === 'new') continue
    const { topic, id } = events[at] as LogEvent
    const why =
      decision.status === 'refused' ? decision.detail : 'the log already has an event with this id'
    throw new Error(`the unit cannot append event ${id} to ${topic}: ${why}`)
  }
}

function decideOne(
  event: LogEvent,
  log: AppendLookup,
  seen: ReadonlyMap<string, number>,
  failedKeys: ReadonlySet<string>,
  events: readonly LogEvent[],
): AppendDecision {
  const { topic, partition, id } = event
  const count = log.partitions(topic)
  if (count === undefined) return refusal('TOPIC_NOT_FOUND', `the topic ${topic} does not exist`)
  if (!Number.isInteger(partition) || partition < 0 || partition >= count)
    return refusal(
      'PARTITION_NOT_FOUND',
      `${topic} has ${count} partitions and no partition ${partition}`,
    )
  const field = unstorableField(event)
  if (field !== undefined)
    return refusal('TEXT_NOT_STORABLE', `its ${field} contains a lone surrogate or a NUL`)
  const first = seen.get(compositeKey(topic, id))
  const known = first === undefined ? log.find(topic, id) : (events[first] as LogEvent)
  if (known && !isSame(known, event))
    return refusal('ID_CONFLICT', `${topic} already has another event with the id ${id}`)
  if (first !== undefined) return { status: 'duplicate', firstIndex: first }
  if (known) return { status: 'stored', isDuplicate: true, place: placeOf(known as StoredEvent) }
  const damage = log.damageAt?.(topic, partition)
  if (damage !== undefined)
    return refusal('LOG_DAMAGED', `${topic}/${partition} is damaged: ${damageText(damage)}`)
  if (failedKeys.has(orderId(event)))
    return refusal(
      'EARLIER_NOT_STORED',
      `an earlier event of the key ${event.key} in this call was not stored`,
    )
  return { status: 'new' }
}

/** Builds the results once the new events are stored; `places` has the place of each by index. */
export function appendResults(
  decisions: readonly AppendDecision[],
  places: ReadonlyMap<number, Place>,
): readonly LogAppendResult[] {
  return decisions.map((decision, at) => {
    if (decision.status === 'stored' || decision.status === 'refused') return decision
    const isRepeat = decision.status === 'duplicate'
    const place = places.get(isRepeat ? decision.firstIndex : at)
    return { status: 'stored', isDuplicate: isRepeat, ...(place ? { place } : {}) }
  })
}

function refusal(code: LogRefusalCode, detail: string): AppendDecision {
  return { status: 'refused', code, detail }
}

/** A duplicate may differ in its head, for example in its trace; never in key, type or data. */
function isSame(known: Omit<StoredEvent, keyof Place>, event: LogEvent): boolean {
  const { key, type, data, matchesData } = known
  if (key !== event.key || type !== event.type) return false
  return matchesData ? matchesData(event.data) : data === event.data
}

function placeOf({ topic, partition, offset }: Place): Place {
  return { topic, partition, offset }
}
