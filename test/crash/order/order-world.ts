// Replays a history: after each line, what the checker knows of every event at every consumer. Knows
// nothing of the engine but the lines, the seed and the final state.
import type { LogRecord } from '../../../src/ports/event-log.ts'
import type { Progress } from '../../../src/ports/event-store.ts'
import { NO_COUNTS } from '../../../src/ports/progress.ts'
import type { Status } from '../../../src/ports/status.ts'
import type { FailurePlan, Outcome } from './failure-plan.ts'
import { planOf } from './failure-plan.ts'
import type { OrderSize, ProducedEvent } from './order-batches.ts'
import { batchesOf } from './order-batches.ts'
import type { HistoryLine } from './order-history.ts'
import type { Line } from './order-scenario.ts'
import { CONSUMERS } from './order-scenario.ts'
import type { FinalState } from './order-store.ts'

export type LineOf<K extends HistoryLine['kind']> = Extract<HistoryLine, { readonly kind: K }>

/** An event at a consumer. */
export interface Delivered extends Omit<Line, 'number'> {
  readonly consumer: string
  readonly id: string
  readonly entry: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly plan: FailurePlan
  readonly lane: Lane
  /** Its place in its lane. */
  readonly at: number
  status: Status
  /** Whether a unit has stored a status of it. */
  isRecorded: boolean
  attempts: number
  redrives: number
  isCompleted: boolean
  isDiscarded: boolean
  /** The outcome of its last call, in which instance. */
  last?: { readonly instance: number; readonly outcome: Outcome }
}

/** The events of one key at one consumer, in the order of the log. */
export interface Lane {
  readonly consumer: string
  readonly key: string
  readonly isOrdered: boolean
  readonly events: Delivered[]
  /** The place of the first event that is neither completed nor discarded. */
  front: number
}

/** A consumer at a partition. */
export interface Reader extends Progress {
  /** The events that it consumes there, by offset. */
  readonly events: readonly Delivered[]
  /** The index of the first of them that it has not passed. */
  passed: number
}

export interface World {
  readonly size: OrderSize
  readonly batches: readonly (readonly ProducedEvent[])[]
  readonly state: FinalState
  /** By consumer and id. */
  readonly events: ReadonlyMap<string, Delivered>
  /** By consumer, key and entry. */
  readonly byEntry: ReadonlyMap<string, Delivered>
  readonly lanes: ReadonlyMap<string, Lane>
  /** By consumer, topic and partition; mutable counters. */
  readonly readers: ReadonlyMap<string, Reader>
  instance: number
}

export const isResolved = ({ isCompleted, isDiscarded }: Delivered): boolean =>
  isCompleted || isDiscarded

/** Text that names an event at a consumer. */
export const textOf = ({ consumer, key, entry }: Pick<Delivered, 'consumer' | 'key' | 'entry'>) =>
  `${consumer} ${key} ${entry}`

export const readerName = ({
  consumer,
  topic,
  partition,
}: Pick<Progress, 'consumer' | 'topic' | 'partition'>): string =>
  `${consumer} ${topic}/${partition}`

export function createWorld(size: OrderSize, state: FinalState): World {
  const events = new Map<string, Delivered>()
  const byEntry = new Map<string, Delivered>()
  const lanes = new Map<string, Lane>()
  const readers = new Map<string, { events: Delivered[] } & Omit<Reader, 'events'>>()
  const inOrder = state.records.toSorted((a, b) => (a.position ?? 0) - (b.position ?? 0))
  for (const record of inOrder)
    for (const [consumer, { reads, isOrdered }] of Object.entries(CONSUMERS)) {
      const prefix = reads[record.type]
      if (prefix === undefined) continue
      const laneName = `${consumer} ${record.key}`
      const lane = lanes.get(laneName) ?? newLane(consumer, record.key, isOrdered)
      lanes.set(laneName, lane)
      const delivered = deliver(size.seed, record, prefix, lane)
      lane.events.push(delivered)
      events.set(`${consumer} ${record.id}`, delivered)
      byEntry.set(textOf(delivered), delivered)
      const { topic, partition } = record
      const place = { consumer, topic, partition }
      const reader = readers.get(readerName(place))
      if (reader) reader.events.push(delivered)
      else {
        const nothing = { ...place, next: 0, ...NO_COUNTS, passed: 0 }
        readers.set(readerName(place), { ...nothing, events: [delivered] })
      }
    }
  const batches = batchesOf(size)
  return { size, batches, state, events, byEntry, lanes, readers, instance: 0 }
}

const newLane = (consumer: string, key: string, isOrdered: boolean): Lane => {
  return { consumer, key, isOrdered, events: [], front: 0 }
}

function deliver(
  seed: number,
  { id, key, data, topic, partition, offset }: LogRecord,
  prefix: string,
  lane: Lane,
): Delivered {
  const { consumer } = lane
  const { number } = JSON.parse(data ?? '{}') as Line
  const entry = `${prefix}${number}`
  return {
    consumer,
    id,
    key,
    entry,
    topic,
    partition,
    offset,
    plan: planOf(seed, consumer, key, entry),
    lane,
    at: lane.events.length,
    status: 'UNPROCESSED',
    isRecorded: false,
    attempts: 0,
    redrives: 0,
    isCompleted: false,
    isDiscarded: false,
  }
}

/** Applies a committed unit, after the checks have seen it. */
export function applyToWorld(world: World, unit: LineOf<'unit'>): void {
  for (const { consumer, key, entries } of unit.effects)
    for (const entry of entries) {
      const event = world.byEntry.get(textOf({ consumer, key, entry }))
      if (event) event.isCompleted = true
    }
  for (const { consumer, id, from, to, attempts, isDiscarded } of unit.statuses) {
    const event = world.events.get(`${consumer} ${id}`)
    if (!event) continue
    if (from === 'FAILED' && to === 'UNPROCESSED') event.redrives += 1
    Object.assign(event, { status: to, isRecorded: true, attempts, isDiscarded })
  }
  for (const lane of lanesOf(world, unit))
    while (lane.front < lane.events.length && isResolved(lane.events[lane.front] as Delivered))
      lane.front += 1
  for (const advance of unit.progress) {
    const reader = world.readers.get(readerName(advance))
    if (!reader) continue
    const counted = Object.keys(NO_COUNTS) as (keyof typeof NO_COUNTS)[]
    const sums = counted.map((name) => [name, reader[name] + advance[name]])
    const next = advance.from === null ? reader.next : advance.next
    Object.assign(reader, Object.fromEntries(sums), { next })
    reader.passed = firstAhead(reader)
  }
}

/** The index of the first event that a reader has not passed. */
function firstAhead({ events, next, passed }: Reader): number {
  let at = passed
  while (at < events.length && (events[at] as Delivered).offset < next) at += 1
  return at
}

/** The lanes that a unit changes. */
export function lanesOf(world: World, { effects, statuses }: LineOf<'unit'>): ReadonlySet<Lane> {
  const lanes = new Set<Lane>()
  for (const { consumer, key } of effects) addLane(lanes, world.lanes.get(`${consumer} ${key}`))
  for (const { consumer, id } of statuses)
    addLane(lanes, world.events.get(`${consumer} ${id}`)?.lane)
  return lanes
}

function addLane(lanes: Set<Lane>, lane: Lane | undefined): void {
  if (lane) lanes.add(lane)
}

/** The events that a unit moves past at a reader. */
export function passedBy(world: World, unit: LineOf<'unit'>): readonly Delivered[] {
  return unit.progress.flatMap((advance) => {
    const reader = world.readers.get(readerName(advance))
    if (!reader || advance.from === null || advance.next <= reader.next) return []
    const passed = reader.events.slice(reader.passed)
    const end = passed.findIndex(({ offset }) => offset >= advance.next)
    return end === -1 ? passed : passed.slice(0, end)
  })
}
