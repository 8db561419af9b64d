// Checks results where the model leaves the backend a choice: how much a read returns, which offsets
// and positions it gives, and who gets which lease.
import assert from 'node:assert/strict'
import type {
  Lease,
  LogEnd,
  LogRecord,
  Position,
  Progress,
  RowKey,
  Slice,
} from '../../../src/ports/index.ts'
import { bytesOf } from '../../../src/ports/index.ts'
import type { ModelRecord, Model, ModelPartition } from './model.ts'
import { isReadable, retained, rowOf } from './model.ts'

export function assertRecord(found: LogRecord | undefined, kept: ModelRecord): void {
  assert.ok(found, `${kept.id} is in the log`)
  const { position = -1, ...record } = found
  const { order: _, isRemoved: __, position: told, ...expected } = kept
  assert.deepEqual(record, expected)
  assert.ok(position >= 0, 'a record has a position')
  if (told >= 0) assert.equal(position, told, 'a position stays')
  kept.position = position
}

/** Covers all records that were ever read, also trimmed ones. */
export function assertPositionsGrow({ topics }: Model): void {
  const seen = [...topics.values()]
    .flatMap(({ partitions }) => partitions.flatMap(({ records }) => records))
    .filter(({ position }) => position >= 0)
    .toSorted((a, b) => a.order - b.order)
  for (const [at, { position, id }] of seen.slice(1).entries())
    assert.ok(position > (seen[at]?.position ?? 0), `the position of ${id} grows`)
}

export function assertRead(
  model: Model,
  from: readonly Position[],
  max: { readonly records: number; readonly bytes: number },
  slices: readonly Slice[],
): void {
  assert.equal(slices.length, from.length, 'every position gets its slice')
  for (const [at, slice] of slices.entries()) {
    const position = from[at] as Position
    const { topic, partition } = slice
    assert.deepEqual({ topic, partition }, { topic: position.topic, partition: position.partition })
    assertSlice(partitionOf(model, position), position, slice)
  }
  const records = slices.flatMap((slice) => slice.records)
  const bytes = records.reduce((sum, record) => sum + bytesOf(record), 0)
  assert.ok(records.length <= max.records, `${records.length} records of ${max.records}`)
  assert.ok(bytes <= max.bytes || records.length === 1, `${bytes} bytes of ${max.bytes}`)
  const isAny = from.some((each) => retained(partitionOf(model, each), each.next).length > 0)
  assert.equal(records.length > 0, isAny, 'a read gives something where there is something')
}

function partitionOf({ topics }: Model, { topic, partition }: Position): ModelPartition {
  return topics.get(topic)?.partitions[partition] as ModelPartition
}

function assertSlice(partition: ModelPartition, { next }: Position, slice: Slice): void {
  const there = retained(partition, next)
  for (const [at, record] of slice.records.entries()) {
    const kept = there[at]
    assert.ok(kept, `nothing is at ${record.offset}`)
    assertRecord(record, kept)
  }
  const given = slice.records.at(-1)?.offset ?? Math.max(next, partition.first) - 1
  const left = there[slice.records.length]
  assert.ok(slice.next > given, 'it goes on behind what was given')
  assert.ok(slice.next <= (left?.offset ?? Infinity), `${left?.offset} is not passed over`)
  assertEnd(partition, slice.end)
  const lost = next < partition.first ? { from: next, to: partition.first } : undefined
  assert.deepEqual(slice.lost, lost)
}

/** A reported end binds the log: the next record has at least this offset. */
function assertEnd(partition: ModelPartition, end: number): void {
  assert.ok(end >= partition.next, `the end ${end} is not below ${partition.next}`)
  partition.next = end
}

export function assertEnds(
  { topics }: Model,
  names: readonly string[],
  ends: readonly LogEnd[],
): void {
  const expected = names.flatMap((topic) =>
    (topics.get(topic)?.partitions ?? []).map((_, partition) => ({ topic, partition })),
  )
  assert.deepEqual(
    ends.map(({ topic, partition }) => ({ topic, partition })),
    expected,
  )
  for (const { topic, partition: at, first, next } of ends) {
    const partition = topics.get(topic)?.partitions[at] as ModelPartition
    assertEnd(partition, next)
    assert.ok(first >= partition.first, 'what was trimmed is below the first')
    assert.ok(first <= (retained(partition, 0)[0]?.offset ?? next), 'nothing is retained below')
  }
}

/** Records that were trimmed or compacted are in no stream either. */
export function assertStream(
  model: Model,
  row: RowKey,
  fromVersion: number,
  limit: number,
  found: readonly LogRecord[],
): void {
  const expected = (model.streams.get(rowOf(row)) ?? [])
    .filter(({ version }) => version >= fromVersion)
    .toSorted((a, b) => a.version - b.version)
    .map(({ record }) => record)
    .filter((record) => isReadable(model, record))
    .slice(0, limit)
  assert.deepEqual(
    found.map(({ id }) => id),
    expected.map(({ id }) => id),
  )
  for (const [at, kept] of expected.entries()) assertRecord(found[at], kept)
}

export function assertProgress(
  { progress }: Model,
  consumers: readonly string[],
  found: readonly Progress[],
): void {
  const sorted = (list: Iterable<Progress>): readonly Progress[] =>
    [...list]
      .filter(({ consumer }) => consumers.includes(consumer))
      .sort((a, b) => a.partition - b.partition)
      .sort((a, b) => Number(a.topic > b.topic) - Number(a.topic < b.topic))
      .sort((a, b) => Number(a.consumer > b.consumer) - Number(a.consumer < b.consumer))
  assert.equal(found.length, sorted(found).length, 'no other consumer is listed')
  assert.deepEqual(sorted(found), sorted(progress.values()))
}

export interface ModelBeat {
  readonly member: string
  readonly wants: readonly string[]
  readonly releases: readonly string[]
  readonly untilMs: number
}

export function assertBeat(
  { leases, memberships, nowMs }: Model,
  { member, wants, releases, untilMs }: ModelBeat,
  { held, revoke }: { readonly held: readonly Lease[]; readonly revoke: readonly string[] },
): void {
  const mine = new Map(held.map(({ resource, generation }) => [resource, generation]))
  assert.equal(mine.size, held.length, 'no lease is given twice')
  const isWanted = (resource: string): boolean =>
    wants.includes(resource) && !releases.includes(resource)
  const others = [...memberships].filter(([id, wish]) => id !== member && wish.untilMs > nowMs)
  const isContested = (resource: string): boolean =>
    others.some(([, wish]) => wish.wants.includes(resource))
  for (const [resource, generation] of mine) {
    assert.ok(isWanted(resource), `${resource} is wanted`)
    const lease = leases.get(resource)
    const isAlive = lease && lease.untilMs > nowMs
    assert.ok(!isAlive || lease.member === member, `${resource} is of ${lease?.member}`)
    if (isAlive) assert.equal(generation, lease.generation, 'a renewed claim stays the same')
    else assert.ok(generation > (lease?.generation ?? 0), 'a claim that changes hands is fenced')
  }
  for (const resource of wants.filter(isWanted)) {
    const lease = leases.get(resource)
    const isAlive = lease && lease.untilMs > nowMs
    const isDue = isAlive ? lease.member === member : !isContested(resource)
    if (isDue) assert.ok(mine.has(resource), `${member} gets ${resource}`)
  }
  for (const resource of revoke)
    assert.ok(mine.has(resource) && isContested(resource), `${resource} is held and wanted`)
  for (const [resource, lease] of leases)
    if (lease.member === member && lease.untilMs > nowMs && !mine.has(resource))
      leases.set(resource, { ...lease, untilMs: nowMs })
  for (const [resource, generation] of mine) leases.set(resource, { member, generation, untilMs })
  memberships.set(member, { wants, untilMs })
}
