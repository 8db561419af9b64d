import type { Position, Slice } from '../../ports/event-log.ts'
import type { PartitionName, ProgressName } from '../../ports/composite-keys.ts'
import { partitionId, progressId } from '../../ports/composite-keys.ts'
import type { Advance, EventStore } from '../../ports/event-store.ts'
import { NO_COUNTS } from '../../ports/progress.ts'
import { partitionOf } from '../../contract/partition.ts'
import type { Consumer, ConsumerGroup } from '../plan/index.ts'
import type { DeliveryCounts, Delivery, Batch } from '../execution/index.ts'
import type { RangeParts } from './progress-ranges.ts'
import { createRanges } from './progress-ranges.ts'

/** A partition that a group reads. */
export interface GroupPartition {
  readonly topic: string
  readonly partition: number
  /** The lease resource for it: the shard of all partitions that share keys with it. */
  readonly resource: string
  /** The consumers that read it. */
  readonly progressKeys: readonly PlaceReader[]
}

/** A consumer at a partition, with its progress key. */
interface PlaceReader extends ProgressName {
  readonly id: string
}

/** The progress of a consumer after a batch. */
type Moved = Pick<Advance, 'consumer' | 'topic' | 'partition' | 'next'>

/** The committed progress of each consumer of a group, by partition. */
export interface GroupProgress {
  readonly partitions: readonly GroupPartition[]
  /** The lease resource of a key, whichever topic it comes from. */
  resourceForKey(key: string): string
  findPartition(topic: string, partition: number): GroupPartition | undefined
  /** Loads it from the store. Consumers that await a rebuild do not advance. */
  reload(isAwaitingRebuild: (consumer: Consumer) => boolean): Promise<void>
  /** The next offset per partition: that of its slowest consumer. */
  positions(isHeld: (place: GroupPartition) => boolean): readonly Position[]
  /**
   * Whether the consumer has not passed the delivery yet. A held message is always ahead, unless
   * its consumer awaits a rebuild.
   */
  isAhead(delivery: Delivery): boolean
  /** Whether a consumer has passed an offset. */
  hasPassed(consumer: string, topic: string, partition: number, offset: number): boolean
  /** Whether the slices advance any consumer. */
  moves(slices: readonly Slice[]): boolean
  /** The progress of a unit: new offsets and counts. */
  advances(batch: Batch, counts: ReadonlyMap<string, DeliveryCounts>): Advance[]
  /** Applies the progress of a committed unit. */
  onCommit(advances: readonly Advance[]): void
}

export function createGroupProgress(
  store: EventStore,
  group: ConsumerGroup,
  partitionsOf: (topic: string) => number,
  by: RangeParts,
): GroupProgress {
  const shards = countShards([...group.subscriptions.keys()].map(partitionsOf))
  const places = createPartitions(group, partitionsOf, shards)
  const byId = new Map(places.map((place) => [partitionId(place), place]))
  const placeOf = (topic: string, partition: number): GroupPartition | undefined =>
    byId.get(partitionId({ topic, partition }))
  const next = new Map<string, number>()
  const ranges = createRanges(by)
  const nextOf = (id: string): number => next.get(id) ?? 0
  const reached = createOffsetsByTopic(nextOf, partitionsOf)
  return {
    partitions: places,
    resourceForKey: (key) => `${group.id}/${partitionOf(key, shards)}`,
    findPartition: placeOf,
    async reload(isDormant) {
      const rows = await store.progress(group.consumers.map(({ id }) => id))
      next.clear()
      reached.clear()
      ranges.clear()
      for (const row of rows) next.set(progressId(row), row.next)
      for (const { id } of progressAwaitingRebuild(group, places, isDormant)) next.set(id, Infinity)
    },
    positions: (isHeld) =>
      places
        .filter(isHeld)
        .map(({ topic, partition, progressKeys }) => {
          return { topic, partition, next: Math.min(...progressKeys.map(({ id }) => nextOf(id))) }
        })
        .filter((position) => position.next < Infinity),
    isAhead: ({ subscription, record: { topic, partition, offset }, held }) => {
      const at = reached.by(subscription.consumer, topic)[partition] ?? 0
      return held ? at < Infinity : offset >= at
    },
    hasPassed: (consumer, topic, partition, offset) =>
      nextOf(progressId({ consumer, topic, partition })) > offset,
    moves: (slices) =>
      slices.some(({ topic, partition, next: to }) =>
        placeOf(topic, partition)?.progressKeys.some(({ id }) => nextOf(id) < to),
      ),
    advances: (batch, counts) => {
      const moved = movedBy(batch, placeOf, nextOf)
      const changed = new Map<string, ProgressName>([...moved, ...counts])
      return [...changed].map(([id, place]) => {
        const from = nextOf(id)
        const to = Math.max(from, moved.get(id)?.next ?? 0)
        const expired = countExpired(place, next.get(id), batch.slices)
        const range = to > from ? ranges.next(id) : {}
        return { ...createAdvance(place, from, to, counts.get(id), expired), ...range }
      })
    },
    onCommit(advances) {
      reached.clear()
      for (const each of advances) {
        if (each.from === null) continue
        const id = progressId(each)
        next.set(id, each.next)
        if (each.range) ranges.began(id)
      }
    },
  }
}

/** Consumers that await a rebuild, at each partition that they read. */
function progressAwaitingRebuild(
  { consumers }: ConsumerGroup,
  places: readonly GroupPartition[],
  isDormant: (consumer: Consumer) => boolean,
): readonly PlaceReader[] {
  const dormant = new Set(consumers.filter(isDormant).map(({ id }) => id))
  return places
    .flatMap(({ progressKeys }) => progressKeys)
    .filter(({ consumer }) => dormant.has(consumer))
}

/** Offsets by consumer and topic, since every event asks for them. */
interface OffsetsByTopic {
  by(consumer: Consumer, topic: string): readonly number[]
  clear(): void
}

function createOffsetsByTopic(
  nextOf: (id: string) => number,
  partitionsOf: (topic: string) => number,
): OffsetsByTopic {
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
function countExpired(
  { topic, partition }: PartitionName,
  from: number | undefined,
  slices: readonly Slice[],
): number {
  // A consumer that is new to a partition starts at its beginning, and has lost nothing.
  if (from === undefined) return 0
  const slice = slices.find((each) => each.topic === topic && each.partition === partition)
  return slice?.lost ? Math.max(0, slice.lost.to - from) : 0
}

/** How far each consumer comes with a batch. */
function movedBy(
  { slices, deliveries }: Batch,
  placeOf: GroupProgress['findPartition'],
  nextOf: (id: string) => number,
): Map<string, Moved> {
  return slices.length > 0
    ? offsetsAfterSlices(slices, placeOf, nextOf)
    : offsetsAfterDeliveries(deliveries)
}

function createAdvance(
  { consumer, topic, partition }: ProgressName,
  from: number,
  next: number,
  counted: DeliveryCounts | undefined,
  expired: number,
): Advance {
  const { accepted, completed, pending, dead, discarded } = counted ?? NO_COUNTS
  const counts = { accepted: accepted + expired, completed, pending, dead, discarded, expired }
  const place = { consumer, topic, partition }
  // A consumer that reads nothing at present: only its counts change, and it stays where it is.
  if (from === Infinity) return { ...place, from: null, next: 0, ...counts }
  return { ...place, from, next, ...counts }
}

/** A whole batch: every consumer has reached the end of each slice. */
function offsetsAfterSlices(
  slices: readonly Slice[],
  placeOf: GroupProgress['findPartition'],
  nextOf: (id: string) => number,
): Map<string, Moved> {
  const reached = new Map<string, Moved>()
  for (const { topic, partition, next } of slices)
    for (const { id, consumer } of placeOf(topic, partition)?.progressKeys ?? [])
      if (nextOf(id) < next) reached.set(id, { consumer, topic, partition, next })
  return reached
}

/** Part of a batch: each consumer has passed its own last delivery. */
function offsetsAfterDeliveries(deliveries: readonly Delivery[]): Map<string, Moved> {
  const reached = new Map<string, Moved>()
  for (const { subscription, record, held } of deliveries) {
    if (held) continue
    const { topic, partition, offset } = record
    const name = { consumer: subscription.consumer.id, topic, partition }
    const id = progressId(name)
    reached.set(id, { ...name, next: Math.max(reached.get(id)?.next ?? 0, offset + 1) })
  }
  return reached
}

/**
 * The number of shards of a group, such that a key has the same shard in every topic: the greatest
 * common divisor of the partition counts, since a key's partition is its hash modulo the count.
 */
function countShards(counts: readonly number[]): number {
  const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b))
  return Math.max(1, counts.reduce(divisor, 0))
}

function createPartitions(
  group: ConsumerGroup,
  partitionsOf: (topic: string) => number,
  shards: number,
): readonly GroupPartition[] {
  const places: GroupPartition[] = []
  for (const [topic, wires] of group.subscriptions) {
    const consumers = new Set<string>()
    for (const subscriptions of wires.values())
      for (const { consumer } of subscriptions) consumers.add(consumer.id)
    for (let partition = 0; partition < partitionsOf(topic); partition += 1)
      places.push({
        topic,
        partition,
        resource: `${group.id}/${partition % shards}`,
        progressKeys: [...consumers].map((consumer) => {
          const name = { consumer, topic, partition }
          return { ...name, id: progressId(name) }
        }),
      })
  }
  return places
}
