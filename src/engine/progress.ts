import type { Position, Slice } from '../ports/log.ts'
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
  /** The progress keys of the consumers that read it. */
  readonly readers: readonly string[]
}

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

export const progressKey = (consumer: string, topic: string, partition: number): string =>
  `${consumer}\n${topic}\n${partition}`

const placeKey = (topic: string, partition: number): string => `${topic}\n${partition}`

export function progressOf(
  store: EventStore,
  group: Group,
  partitionsOf: (topic: string) => number,
): GroupProgress {
  const shards = shardsOf([...group.reactions.keys()].map(partitionsOf))
  const places = placesOf(group, partitionsOf, shards)
  const byKey = new Map(places.map((place) => [placeKey(place.topic, place.partition), place]))
  const placeOf = (topic: string, partition: number): Place | undefined =>
    byKey.get(placeKey(topic, partition))
  const next = new Map<string, number>()
  const reached = reachedIn((key) => nextOf(key), partitionsOf)
  const nextOf = (key: string): number => next.get(key) ?? 0
  return {
    places,
    resourceOf: (key) => `${group.id}/${partitionOf(key, shards)}`,
    placeOf,
    async reload(isDormant) {
      const rows = await store.progress(group.consumers.map(({ id }) => id))
      next.clear()
      reached.clear()
      for (const row of rows)
        next.set(progressKey(row.consumer, row.topic, row.partition), row.next)
      for (const key of dormantIn(group, places, isDormant)) next.set(key, Infinity)
    },
    positions: (isHeld) =>
      places
        .filter(isHeld)
        .map(({ topic, partition, readers }) => {
          return { topic, partition, next: Math.min(...readers.map(nextOf)) }
        })
        .filter((position) => position.next < Infinity),
    isAhead: ({ reaction, record: { topic, partition, offset }, held }) => {
      const at = reached.by(reaction.consumer, topic)[partition] ?? 0
      return held ? at < Infinity : offset >= at
    },
    hasPassed: (consumer, topic, partition, offset) =>
      nextOf(progressKey(consumer, topic, partition)) > offset,
    moves: (slices) =>
      slices.some(({ topic, partition, next: to }) =>
        placeOf(topic, partition)?.readers.some((key) => nextOf(key) < to),
      ),
    advances(turn, counts) {
      const moved =
        turn.slices.length > 0 ? bySlices(turn.slices, placeOf, nextOf) : byItems(turn.items)
      const keys = new Set([...moved.keys(), ...counts.keys()])
      return [...keys].map((key) => {
        const [consumer = '', topic = '', partition] = key.split('\n')
        const from = nextOf(key)
        const { accepted = 0, completed = 0, pending = 0 } = counts.get(key) ?? {}
        const place = { consumer, topic, partition: Number(partition) }
        const expired = expiredAt(place, next.get(key), turn.slices)
        return {
          ...place,
          from,
          next: Math.max(from, moved.get(key) ?? 0),
          accepted: accepted + expired,
          completed,
          pending,
          expired,
        }
      })
    },
    advanced(advances) {
      reached.clear()
      for (const { consumer, topic, partition, next: to } of advances)
        next.set(progressKey(consumer, topic, partition), to)
    },
  }
}

/** Progress keys of consumers that await a rebuild. */
function dormantIn(
  { consumers }: Group,
  places: readonly Place[],
  isDormant: (consumer: Consumer) => boolean,
): readonly string[] {
  const dormant = new Set(consumers.filter(isDormant).map(({ id }) => id))
  const keys = places.flatMap(({ readers }) => readers)
  return keys.filter((key) => dormant.has(key.split('\n')[0] ?? ''))
}

/** Offsets by consumer and topic, since every event asks for them. */
interface Reached {
  by(consumer: Consumer, topic: string): readonly number[]
  clear(): void
}

function reachedIn(
  nextOf: (key: string) => number,
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
        nextOf(progressKey(consumer.id, topic, partition)),
      )
      topics.set(topic, made)
      return made
    },
    clear: () => reached.clear(),
  }
}

/** Offsets that the log deleted before the consumer reached them. */
function expiredAt(
  { topic, partition }: Pick<Place, 'topic' | 'partition'>,
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
  nextOf: (key: string) => number,
): Map<string, number> {
  const reached = new Map<string, number>()
  for (const { topic, partition, next: to } of slices)
    for (const key of placeOf(topic, partition)?.readers ?? [])
      if (nextOf(key) < to) reached.set(key, to)
  return reached
}

/** Part of a batch: each consumer has passed its own last delivery. */
function byItems(items: readonly Item[]): Map<string, number> {
  const reached = new Map<string, number>()
  for (const { reaction, record, held } of items) {
    if (held) continue
    const key = progressKey(reaction.consumer.id, record.topic, record.partition)
    reached.set(key, Math.max(reached.get(key) ?? 0, record.offset + 1))
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
        readers: [...consumers].map((consumer) => progressKey(consumer, topic, partition)),
      })
  }
  return places
}
