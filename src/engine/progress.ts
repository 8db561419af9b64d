import type { Position, Slice } from '../ports/log.ts'
import type { PartitionName, ProgressName } from '../ports/composite-keys.ts'
import { partitionId, progressId } from '../ports/composite-keys.ts'
import type { Advance, EventStore } from '../ports/store.ts'
import { partitionOf } from '../contract/partition.ts'
import type { Consumer, Group } from './plan.ts'
import type { Counts, Item, Turn } from './turn.ts'

/** A partition that a group reads. */
export interface Place {
  readonly topic: string
  readonly partition: number
  /** The lease resource for it: the shard of all partitions that share keys with it. */
  readonly resource: string
  /** The consumers that read it. */
  readonly readers: readonly PlaceReader[]
}

/** A consumer at a partition, with its progress key. */
interface PlaceReader extends ProgressName {
  readonly id: string
}

/** The progress of a consumer after a batch. */
type Moved = Pick<Advance, 'consumer' | 'topic' | 'partition' | 'next'>

/** The committed progress of each consumer of a group, by partition. */
export interface GroupProgress {
  readonly places: readonly Place[]
  /** The lease resource of a key, whichever topic it comes from. */
  resourceOf(key: string): string
  placeOf(topic: string, partition: number): Place | undefined
  /** Loads it from the store. Consumers that await a rebuild do not advance. */
  reload(isDormant: (consumer: Consumer) => boolean): Promise<void>
  /** The next offset per partition: that of its slowest consumer. */
  positions(isHeld: (place: Place) => boolean): readonly Position[]
  /**
   * Whether the consumer has not passed the delivery yet. A held message is always ahead, unless
   * its consumer awaits a rebuild.
   */
  isAhead(item: Item): boolean
  /** Whether a consumer has passed an offset. */
  hasPassed(consumer: string, topic: string, partition: number, offset: number): boolean
  /** Whether the slices advance any consumer. */
  moves(slices: readonly Slice[]): boolean
  /** The progress of a unit: new offsets and counts. */
  advances(turn: Turn, counts: ReadonlyMap<string, Counts>): Advance[]
  /** Applies the progress of a committed unit. */
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

/** Consumers that await a rebuild, at each partition that they read. */
function dormantIn(
  { consumers }: Group,
  places: readonly Place[],
  isDormant: (consumer: Consumer) => boolean,
): readonly PlaceReader[] {
  const dormant = new Set(consumers.filter(isDormant).map(({ id }) => id))
  return places.flatMap(({ readers }) => readers).filter(({ consumer }) => dormant.has(consumer))
}

/** Offsets by consumer and topic, since every event asks for them. */
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

/** Offsets that the log deleted before the consumer reached them. */
function expiredAt(
  { topic, partition }: PartitionName,
  from: number | undefined,
  slices: readonly Slice[],
): number {
  // A consumer that is new to a partition starts at its beginning, and has lost nothing.
  if (from === undefined) return 0
  const slice = slices.find((each) => each.topic === topic && each.partition === partition)
  return slice?.lost ? Math.max(0, slice.lost.to - from) : 0
}

/** A whole batch: every consumer has reached the end of each slice. */
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

/** Part of a batch: each consumer has passed its own last delivery. */
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
 * The number of shards of a group, such that a key has the same shard in every topic: the greatest
 * common divisor of the partition counts, since a key's partition is its hash modulo the count.
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
