// Partitions are read in log order, however far behind the reader is.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { runs } from '../../extent.ts'
import { memory } from 'throughline/testing'
import { createOrderedReader } from '../../../src/engine/consumer/ordered-reader.ts'
import type { LogEvent, LogRecord, Position, Slice } from '../../../src/ports/event-log.ts'

const TOPICS = ['a', 'b']
const PARTITIONS = 3

const places = TOPICS.flatMap((topic) =>
  [0, 1, 2].map((partition) => ({ topic, partition, next: 0 })),
)

function eventOf(number: number, place: number, length: number): LogEvent {
  const { topic, partition } = places[place] as Position
  const data = JSON.stringify('x'.repeat(length))
  return { topic, partition, id: `e-${number}`, key: 'k', type: 't', at: 0, head: '{}', data }
}

interface Run {
  readonly place: number
  readonly count: number
  readonly length: number
}

const run: fc.Arbitrary<Run> = fc.record({
  place: fc.nat(places.length - 1),
  count: fc.integer({ min: 1, max: 300 }),
  length: fc.nat(40),
})
const steps = fc.array(fc.oneof(run, fc.constant('read' as const)), { minLength: 2, maxLength: 40 })

/** Alternates appends and reads, then reads to the end. */
async function readingOf(
  all: readonly (Run | 'read')[],
  max: { readonly records: number; readonly bytes: number },
  /** The reader starts again from where it has come to. */
  doesForget: () => boolean,
  isBusy = true,
): Promise<{ appended: string[]; seen: readonly LogRecord[]; reads: readonly number[] }> {
  const { log } = memory()
  await log.declare(TOPICS.map((name) => ({ name, partitions: PARTITIONS, strategy: 'murmur2' })))
  const appended: string[] = []
  const append = async ({ place, count, length }: Run): Promise<void> => {
    const events = Array.from({ length: count }, (_, at) =>
      eventOf(appended.length + at, place, length),
    )
    appended.push(...events.map(({ id }) => id))
    await log.append(events)
  }
  // More comes between any two looks.
  let comesMeanwhile = isBusy ? 0 : Infinity
  const busy: typeof log = {
    ...log,
    async read(...args) {
      comesMeanwhile += 1
      if (comesMeanwhile < 300) {
        await append({ place: comesMeanwhile % places.length, count: 1, length: 0 })
        await append({ place: (comesMeanwhile * 5) % places.length, count: 2, length: 0 })
      }
      return log.read(...args)
    },
  }
  let reader = createOrderedReader(busy)
  const seen: LogRecord[] = []
  const reads: number[] = []
  let from: readonly Position[] = places
  const read = async (): Promise<readonly Slice[]> => {
    if (doesForget()) reader = createOrderedReader(busy)
    const slices = await reader.read(from, max, { ms: 0 })
    const records = slices.flatMap((slice) => slice.records)
    reads.push(records.length)
    seen.push(...records.toSorted((a, b) => (a.position ?? 0) - (b.position ?? 0)))
    from = slices.map(({ topic, partition, next }) => ({ topic, partition, next }))
    return slices
  }
  for (const step of all)
    if (step === 'read') await read()
    else await append(step)
  while ((await read()).some(({ next, end }) => next < end));
  return { appended, seen, reads }
}

test('every record is read once, in log order', async () => {
  const records = fc.constantFrom(1, 7, 100, 5_000)
  const bytes = fc.constantFrom(100, 2_000, 1_000_000)
  await fc.assert(
    fc.asyncProperty(steps, records, bytes, fc.nat(3), async (all, recordsMax, bytesMax, nth) => {
      let count = 0
      const max = { records: recordsMax, bytes: bytesMax }
      const forgets = (): boolean => (count += 1) % (nth + 2) === 0
      const { appended, seen, reads } = await readingOf(all, max, forgets)
      assert.deepEqual(
        seen.map(({ id }) => id),
        appended,
      )
      assert.ok(Math.max(...reads) <= recordsMax)
    }),
    { numRuns: runs(40), seed: 11 },
  )
})

test('reads are full although one partition has most records', async () => {
  const dense = { place: 0, count: 2_000, length: 0 }
  const sparse = { place: 4, count: 1, length: 0 }
  const max = { records: 512, bytes: 1_000_000 }
  const { reads } = await readingOf([sparse, dense, sparse, dense, sparse], max, () => false, false)
  assert.deepEqual(reads, [512, 512, 512, 512, 512, 512, 512, 419])
})

test('a range deleted by retention is reported once', async () => {
  const { log } = memory()
  await log.declare(TOPICS.map((name) => ({ name, partitions: PARTITIONS, strategy: 'murmur2' })))
  for (const place of [0, 1]) {
    const events = Array.from({ length: 300 }, (_, at) => eventOf(place * 1_000 + at, place, 1))
    await log.append(events)
  }
  await log.trim('a', 1, 120)
  const reader = createOrderedReader(log)
  let from: readonly Position[] = places
  const lost: unknown[] = []
  for (let count = 0; count < 10; count += 1) {
    const slices = await reader.read(from, { records: 100, bytes: 1_000_000 }, { ms: 0 })
    lost.push(...slices.filter((slice) => slice.lost).map((slice) => [slice.partition, slice.lost]))
    from = slices
  }
  assert.deepEqual(lost, [[1, { from: 0, to: 120 }]])
  assert.deepEqual(
    from.map(({ next }) => next),
    [300, 300, 0, 0, 0, 0],
  )
})

test('a damaged partition does not block the others', async () => {
  const { log } = memory()
  await log.declare(TOPICS.map((name) => ({ name, partitions: PARTITIONS, strategy: 'murmur2' })))
  for (const place of [0, 1])
    await log.append(Array.from({ length: 200 }, (_, at) => eventOf(place * 1_000 + at, place, 1)))
  const damaged: typeof log = {
    ...log,
    async read(from, max, wait) {
      const slices = await log.read(from, max, wait)
      return slices.map((slice, at) => {
        const next = from[at]?.next ?? 0
        return slice.topic === 'a' && slice.partition === 1
          ? {
              ...slice,
              records: [],
              next,
              damage: { code: 'UNREADABLE' as const, from: next, to: 200 },
            }
          : slice
      })
    },
  }
  const reader = createOrderedReader(damaged)
  let from: readonly Position[] = places
  const told = new Set<string>()
  for (let count = 0; count < 5; count += 1) {
    const slices = await reader.read(from, { records: 100, bytes: 1_000_000 }, { ms: 0 })
    for (const { topic, partition, damage } of slices)
      if (damage) told.add(`${topic}/${partition} ${damage.code}`)
    from = slices
  }
  assert.deepEqual([...told], ['a/1 UNREADABLE'])
  assert.deepEqual(
    from.map(({ next }) => next),
    [200, 0, 0, 0, 0, 0],
  )
})
