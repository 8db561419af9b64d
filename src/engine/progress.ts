import type { Position, Slice } from '../ports/log.ts'
import type { PartitionName, ProgressName } from '../ports/composite-keys.ts'
import { partitionId, progressId } from '../ports/composite-keys.ts'
import type { Advance, EventStore } from '../ports/store.ts'
import { partitionOf } from '../contract/partition.ts'
import type { Consumer, Group } from './plan.ts'
import type { Counts, Item, Turn } from './turn.ts'

/** One partition that a group reads. */
export interface Place {
  readonly topic: string
  readonly partition: number
  /** What has to be claimed to work on it: the shard of all partitions that share keys with it. */
  readonly resource: string
  /** The consumers that read here. */
  readonly readers: readonly PlaceReader[]
}

/** A consumer at a partition, and what its progress is found by. */
interface PlaceReader extends ProgressName {
  readonly id: string
}

/** How far a turn brings a consumer. */
type Moved = Pick<Advance, 'consumer' | 'topic' | 'partition' | 'next'>

/** How far each consumer of a group is in each partition, as committed. */
export interface GroupProgress {
  readonly places: readonly Place[]
  /** The resource that everything about a key belongs to, whichever topic it comes by. */
  resourceOf(key: string): string
  placeOf(topic: string, partition: number): Place | undefined
  /** Reads it again from the store. Consumers that are dormant come no further for now. */
  reload(isDormant: (consumer: Consumer) => boolean): Promise<void>
  /** Where to read on: behind the slowest consumer of each partition. */
  positions(isHeld: (place: Place) => boolean): readonly Position[]
  /**
   * Whether the item's consumer has not passed it yet. What comes out of a hold is always ahead, but
   * for a consumer that is dormant.
   */
  isAhead(item: Item): boolean
  /** Whether a consumer has come past an offset. */
  hasPassed(consumer: string, topic: string, partition: number, offset: number): boolean
  /** Whether slices bring anybody further. */
  moves(slices: readonly Slice[]): boolean
  /** What a unit says of progress: how far it comes, and what it counts. */
  advances(turn: Turn, counts: ReadonlyMap<string, Counts>): Advance[]
  /** Takes over what a unit has committed. */
  advanced(advances: readonly Advance[]): void
}

export function progressOf(
  store: EventStore,
  group: Group,
  partitionsOf: (topic: string) => number,
): GroupProgress {
  const shards = shardsOf([...group.reactions.keys()].map(partitionsOf))
  const places = placesOf(group, partitionsOf, shards)
  const byId = new Map(places.map((place) => [partitionId(place), place]))
  const placeOf = (topic: string, partition: number): Place | undefined =>
    byId.get(partitionId({ topic, partition }))
  const next = new Map<string, number>()
  const nextOf = (id: string): number => next.get(id) ?? 0
  const reached = reachedIn(nextOf, partitionsOf)
  return {
    places,
    resourceOf: (key) => `${group.id}/${partitionOf(key, shards)}`,
    placeOf,
    async reload(isDormant) {
      const rows = await store.progress(group.consumers.map(({ id }) => id))
      next.clear()
      reached.clear()
      for (const row of rows) next.set(progressId(row), row.next)
      for (const { id } of dormantIn(group, places, isDormant)) next.set(id, Infinity)
    },
    positions: (isHeld) =>
      places
        .filter(isHeld)
        .map(({ topic, partition, readers }) => {
          return { topic, partition, next: Math.min(...readers.map(({ id }) => nextOf(id))) }
        })
        .filter((position) => position.next < Infinity),
    isAhead: ({ reaction, record: { topic, partition, offset }, held }) => {
      const at = reached.by(reaction.consumer, topic)[partition] ?? 0
      return held ? at < Infinity : offset >= at
    },
    hasPassed: (consumer, topic, partition, offset) =>
      nextOf(progressId({ consumer, topic, partition })) > offset,
    moves: (slices) =>
      slices.some(({ topic, partition, next: to }) =>
        placeOf(topic, partition)?.readers.some(({ id }) => nextOf(id) < to),
      ),
    advances(turn, counts) {
      const moved =
        turn.slices.length > 0 ? bySlices(turn.slices, placeOf, nextOf) : byItems(turn.items)
      const changed = new Map<string, ProgressName>([...moved, ...counts])
      return [...changed].map(([id, { consumer, topic, partition }]) => {
        const from = nextOf(id)
        const { accepted = 0, completed = 0, pending = 0 } = counts.get(id) ?? {}
        const place = { consumer, topic, partition }
        const expired = expiredAt(place, next.get(id), turn.slices)
        return {
          ...place,
          from,
          next: Math.max(from, moved.get(id)?.next ?? 0),
          accepted: accepted + expired,
          completed,
          pending,
          expired,
        }
      })
    },
    advanced(advances) {
      reached.clear()
      for (const each of advances) next.set(progressId(each), each.next)
    },
  }
}

/** Consumers that come no further for now, at each partition that they read. */
function dormantIn(
  { consumers }: Group,
  places: readonly Place[],
  isDormant: (consumer: Consumer) => boolean,
): readonly PlaceReader[] {
  const dormant = new Set(consumers.filter(isDormant).map(({ id }) => id))
  return places.flatMap(({ readers }) => readers).filter(({ consumer }) => dormant.has(consumer))
}

/** How far consumers are, by consumer and topic, for the question that each event asks. */
interface Reached {
  by(consumer: Consumer, topic: string): readonly number[]
  clear(): void
}

function reachedIn(
  nextOf: (id: string) => number,
  partitionsOf: (topic: string) => number,
): Reached {
  const reached = new Map<Consumer, Map<string, readonly number[]>>()
  return {
    by(consumer, topic) {
      const topics = reached.get(consumer) ?? new Map<string, readonly number[]>()
      reached.set(consumer, topics)
      const known = topics.get(topic)
      if (known) return known
      const made = Array.from({ length: partitionsOf(topic) }, (_, partition) =>
        nextOf(progressId({ consumer: consumer.id, topic, partition })),
      )
      topics.set(topic, made)
      return made
    },
    clear: () => reached.clear(),
  }
}

/** Offsets that a reader had yet to reach when the log forgot them. */
function expiredAt(
  { topic, partition }: PartitionName,
  from: number | undefined,
  slices: readonly Slice[],
): number {
  // Who is new to a partition begins where it begins, and has lost nothing.
  if (from === undefined) return 0
  const slice = slices.find((each) => each.topic === topic && each.partition === partition)
  return slice?.lost ? Math.max(0, slice.lost.to - from) : 0
}

/** A whole turn: every reader of a partition has come to the end of its slice. */
function bySlices(
  slices: readonly Slice[],
  placeOf: GroupProgress['placeOf'],
  nextOf: (id: string) => number,
): Map<string, Moved> {
  const reached = new Map<string, Moved>()
  for (const { topic, partition, next } of slices)
    for (const { id, consumer } of placeOf(topic, partition)?.readers ?? [])
      if (nextOf(id) < next) reached.set(id, { consumer, topic, partition, next })
  return reached
}

/** A part of a turn: each consumer has come past its own last item. */
function byItems(items: readonly Item[]): Map<string, Moved> {
  const reached = new Map<string, Moved>()
  for (const { reaction, record, held } of items) {
    if (held) continue
    const { topic, partition, offset } = record
    const name = { consumer: reaction.consumer.id, topic, partition }
    const id = progressId(name)
    reached.set(id, { ...name, next: Math.max(reached.get(id)?.next ?? 0, offset + 1) })
  }
  return reached
}

/**
 * How many parts a group's work can be shared in, so that a key is in the same part in every topic:
 * the greatest common divisor of their partitions, since a key's partition is its hash modulo them.
 */
function shardsOf(counts: readonly number[]): number {
  const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b))
  return Math.max(1, counts.reduce(divisor, 0))
}

function placesOf(
  group: Group,
  partitionsOf: (topic: string) => number,
  shards: number,
): readonly Place[] {
  const places: Place[] = []
  for (const [topic, wires] of group.reactions) {
    const consumers = new Set<string>()
    for (const reactions of wires.values())
      for (const { consumer } of reactions) consumers.add(consumer.id)
    for (let partition = 0; partition < partitionsOf(topic); partition += 1)
      places.push({
        topic,
        partition,
        resource: `${group.id}/${partition % shards}`,
        readers: [...consumers].map((consumer) => {
          const name = { consumer, topic, partition }
          return { ...name, id: progressId(name) }
        }),
      })
  }
  return places
}
