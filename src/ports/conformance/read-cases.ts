import assert from 'node:assert/strict'
import type { EventLog, LogRecord, Position } from '../event-log.ts'
import type { LogCase } from './fixtures.ts'
import {
  LONG_WAIT_MS,
  ORDERS,
  PAYMENTS,
  NO_LIMIT,
  declareTopics,
  eventOfRecord,
} from './fixtures.ts'
import { testEvent, testEvents, idsByKey, idsOf, keyInPartition, waitBriefly } from './fixtures.ts'
import {
  nextPositions,
  recordsOf,
  sliceAt,
  startPosition,
  startPositions,
  appendStored,
} from './fixtures.ts'

const NOW = { ms: 0 } as const

/** The current end positions of a topic. */
async function endsOf(log: EventLog, topic: string = ORDERS): Promise<Position[]> {
  const ends = await log.ends([topic])
  return ends.map(({ partition, next }) => ({ topic, partition, next }))
}

/** What a read returns. */
export const readCases: readonly LogCase[] = [
  {
    promise: 'A read returns one slice per position, with records in offset order',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const events = testEvents('e', 60)
      await appendStored(log, events)
      const from = [...startPositions(), startPosition(1, PAYMENTS)]
      const slices = await log.read(from, NO_LIMIT, NOW)
      nextPositions(from, slices)
      for (const { topic, partition, records, next, end, lost } of slices) {
        const offsets = records.map(({ offset }) => offset)
        assert.deepEqual(
          offsets,
          offsets.toSorted((a, b) => a - b),
        )
        assert.ok(records.every((record) => record.topic === topic))
        assert.ok(records.every((record) => record.partition === partition))
        assert.ok(next > (offsets.at(-1) ?? -1), 'next lies behind the last record')
        assert.ok(end >= next, 'end is not before next')
        assert.equal(lost, undefined)
      }
      assert.deepEqual(idsByKey(recordsOf(slices).map(eventOfRecord)), idsByKey(events))
    },
  },
  {
    promise: 'Continuing from `next` neither skips a record nor repeats one',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const events = testEvents('e', 90)
      await appendStored(log, events)
      let from: Position[] = startPositions()
      const seen: LogRecord[] = []
      for (let reads = 0; seen.length < 90; reads += 1) {
        assert.ok(reads < 200, 'reads make progress')
        const slices = await log.read(from, { records: 7, bytes: NO_LIMIT.bytes }, { ms: 100 })
        seen.push(...recordsOf(slices))
        from = nextPositions(from, slices)
      }
      assert.deepEqual(idsByKey(seen.map(eventOfRecord)), idsByKey(events))
      assert.deepEqual(recordsOf(await log.read(from, NO_LIMIT, NOW)), [])
    },
  },
  {
    promise: 'A read may start at any record',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const key = keyInPartition(3)
      await appendStored(log, testEvents('e', 10, { key }))
      const records = recordsOf(await log.read([startPosition(3)], NO_LIMIT, NOW))
      for (const [at, { offset: next }] of records.entries()) {
        const slices = await log.read([{ ...startPosition(3), next }], NO_LIMIT, NOW)
        assert.deepEqual(recordsOf(slices), records.slice(at))
      }
    },
  },
  {
    promise: 'A read that starts inside the events of one call returns no earlier record',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const key = keyInPartition(3)
      await appendStored(log, testEvents('e', 200, { key }))
      const records = recordsOf(await log.read([startPosition(3)], NO_LIMIT, NOW))
      const next = records[150]?.offset ?? 0
      const rest = await log.read([{ ...startPosition(3), next }], { records: 5, bytes: 1e6 }, NOW)
      assert.deepEqual(recordsOf(rest), records.slice(150, 155))
    },
  },
  {
    promise: 'Reading changes nothing: the same read returns the same again',
    async run({ backend }) {
      const log = await declareTopics(backend)
      await appendStored(log, testEvents('e', 20))
      const once = await log.read(startPositions(), NO_LIMIT, NOW)
      assert.deepEqual(recordsOf(await log.read(startPositions(), NO_LIMIT, NOW)), recordsOf(once))
    },
  },
  {
    promise: 'The next appended record has at least the offset `end`',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const key = keyInPartition(0)
      for (let at = 0; at < 3; at += 1) {
        const from = startPosition(0)
        const before = sliceAt(await log.read([from], NO_LIMIT, NOW), from)
        assert.ok(before.end > (before.records.at(-1)?.offset ?? -1))
        await appendStored(log, [testEvent(`e-${at}`, { key })])
        const [record] = recordsOf(await log.read([{ ...from, next: before.end }], NO_LIMIT, NOW))
        assert.equal(record?.id, `e-${at}`)
        assert.ok(record.offset >= before.end)
      }
    },
  },
]

/** How long a read waits, and what ends the wait. */
export const waitCases: readonly LogCase[] = [
  {
    promise: 'A read without a wait returns at once where nothing is new',
    async run({ backend }) {
      const log = await declareTopics(backend)
      await appendStored(log, testEvents('e', 8))
      const from = await endsOf(log)
      const slices = await log.read(from, NO_LIMIT, NOW)
      assert.deepEqual(nextPositions(from, slices), from)
      assert.deepEqual(recordsOf(slices), [])
    },
  },
  {
    promise: 'A read does not wait while there are records',
    async run({ backend }) {
      const log = await declareTopics(backend)
      await appendStored(log, [testEvent('e-1', { key: keyInPartition(2) })])
      const slices = await log.read(startPositions(), NO_LIMIT, { ms: LONG_WAIT_MS })
      assert.deepEqual(idsOf(recordsOf(slices)), ['e-1'])
      assert.equal(slices.length, 4)
    },
  },
  {
    promise: 'A read waits for the next append, and returns its records',
    async run({ backend }) {
      const log = await declareTopics(backend)
      await appendStored(log, testEvents('e', 8))
      const from = [...(await endsOf(log)), startPosition(1, PAYMENTS)]
      const reading = log.read(from, NO_LIMIT, { ms: LONG_WAIT_MS })
      await waitBriefly(log)
      await appendStored(log, [testEvent('late', { key: keyInPartition(2) })])
      const slices = await reading
      assert.deepEqual(idsOf(recordsOf(slices)), ['late'])
      nextPositions(from, slices)
    },
  },
  {
    promise: 'Each of many waiting reads wakes',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const readers = Array.from({ length: 20 }, () => {
        return log.read(startPositions(), NO_LIMIT, { ms: LONG_WAIT_MS })
      })
      await waitBriefly(log)
      await appendStored(log, [testEvent('e-1')])
      for (const slices of await Promise.all(readers))
        assert.deepEqual(idsOf(recordsOf(slices)), ['e-1'])
    },
  },
  {
    promise: 'A read without new records returns empty slices after its wait',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const slices = await log.read(startPositions(), NO_LIMIT, { ms: 20 })
      assert.deepEqual(nextPositions(startPositions(), slices), startPositions())
      assert.deepEqual(recordsOf(slices), [])
    },
  },
  {
    promise: 'An abort ends a wait, and the read returns what it has',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const abort = new AbortController()
      const wait = { ms: LONG_WAIT_MS, signal: abort.signal }
      const reading = log.read(startPositions(), NO_LIMIT, wait)
      await waitBriefly(log)
      abort.abort()
      assert.deepEqual(nextPositions(startPositions(), await reading), startPositions())
      assert.deepEqual(
        nextPositions(startPositions(), await log.read(startPositions(), NO_LIMIT, wait)),
        startPositions(),
      )
    },
  },
  {
    promise: 'An abort of one read leaves others waiting',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const abort = new AbortController()
      const aborted = log.read(startPositions(), NO_LIMIT, {
        ms: LONG_WAIT_MS,
        signal: abort.signal,
      })
      const other = log.read(startPositions(), NO_LIMIT, { ms: LONG_WAIT_MS })
      await waitBriefly(log)
      abort.abort()
      await aborted
      await appendStored(log, [testEvent('e-1')])
      assert.deepEqual(idsOf(recordsOf(await other)), ['e-1'])
    },
  },
  {
    promise: 'Closing the log ends reads that wait',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const reading = log.read(startPositions(), NO_LIMIT, { ms: LONG_WAIT_MS })
      await waitBriefly(log)
      await log.close()
      const [ended] = await Promise.allSettled([reading])
      if (ended.status === 'fulfilled') assert.deepEqual(recordsOf(ended.value), [])
    },
  },
]

/** Limits of a read, and fairness between partitions. */
export const boundCases: readonly LogCase[] = [
  {
    promise: 'A read returns no more records than requested, over all slices',
    async run({ backend }) {
      const log = await declareTopics(backend)
      await appendStored(log, testEvents('e', 80))
      for (const records of [1, 3, 10, 79]) {
        const slices = await log.read(startPositions(), { ...NO_LIMIT, records }, NOW)
        assert.equal(slices.length, 4)
        const count = recordsOf(slices).length
        assert.ok(count > 0 && count <= records, `${count} records of at most ${records}`)
      }
    },
  },
  {
    promise: 'A read returns no more bytes than requested, over all slices',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const data = JSON.stringify('x'.repeat(1_000))
      await appendStored(log, testEvents('e', 40, { data }))
      for (const bytes of [1_500, 5_500, 20_000]) {
        const found = recordsOf(await log.read(startPositions(), { ...NO_LIMIT, bytes }, NOW))
        const sum = found.length * data.length
        assert.ok(sum > 0 && sum <= bytes, `${sum} bytes of at most ${bytes}`)
      }
    },
  },
  {
    promise: 'A record larger than the limit is returned alone',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const [small, large] = ['"s"', JSON.stringify('x'.repeat(50_000))]
      const key = keyInPartition(1)
      const sizes = [small, large, large, small]
      await appendStored(
        log,
        sizes.map((data, at) => testEvent(`e-${at}`, { key, data })),
      )
      await appendStored(log, [testEvent('aside', { key: keyInPartition(2), data: large })])
      const seen: string[] = []
      let from: Position[] = startPositions()
      for (let reads = 0; seen.length < 5; reads += 1) {
        assert.ok(reads < 100, 'reads make progress')
        const slices = await log.read(from, { records: 100, bytes: 1_000 }, { ms: 100 })
        const records = recordsOf(slices)
        if (records.some(({ data }) => data === large)) assert.equal(records.length, 1, 'alone')
        seen.push(...idsOf(records))
        from = nextPositions(from, slices)
      }
      assert.deepEqual(
        seen.filter((id) => id !== 'aside'),
        ['e-0', 'e-1', 'e-2', 'e-3'],
      )
    },
  },
  {
    promise: 'A busy partition does not starve others over repeated reads',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const quiet = [1, 2, 3].flatMap((at) =>
        testEvents(`quiet-${at}`, 3, { key: keyInPartition(at) }),
      )
      await appendStored(log, quiet)
      await appendStored(log, testEvents('busy', 20, { key: keyInPartition(0) }))
      const missing = new Set(idsOf(quiet))
      let from: Position[] = startPositions()
      for (let reads = 0; missing.size > 0; reads += 1) {
        assert.ok(reads < 60, `${[...missing].join()} are never read`)
        const slices = await log.read(from, { ...NO_LIMIT, records: 2 }, { ms: 100 })
        for (const { id } of recordsOf(slices)) missing.delete(id)
        from = nextPositions(from, slices)
        await appendStored(log, testEvents(`busy-${reads}`, 2, { key: keyInPartition(0) }))
      }
    },
  },
  {
    promise: 'Concurrent readers do not starve each other',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const keys = [keyInPartition(0), keyInPartition(1)]
      const both = [startPosition(0), startPosition(1)]
      await appendStored(
        log,
        keys.flatMap((key) => testEvents(`of-${key}`, 60, { key })),
      )
      const readers = [0, 1].map(() => ({ from: both, met: new Set<number>() }))
      for (let reads = 0; readers.some(({ met }) => met.size < 2); reads += 1) {
        assert.ok(reads < 30, 'each reader gets something of each partition')
        for (const reader of readers) {
          const slices = await log.read(reader.from, { ...NO_LIMIT, records: 1 }, { ms: 100 })
          for (const { partition } of recordsOf(slices)) reader.met.add(partition)
          reader.from = nextPositions(reader.from, slices)
        }
      }
    },
  },
  {
    promise: 'A reader at the tail skips nothing while many callers append',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const writers = Array.from({ length: 12 }, async (_, writer) => {
        for (let at = 0; at < 15; at += 1)
          await appendStored(log, testEvents(`w${writer}-${at}`, 3))
      })
      const seen: string[] = []
      let from: Position[] = startPositions()
      for (let reads = 0; seen.length < 540; reads += 1) {
        assert.ok(reads < 2_000, `${seen.length} of 540 were seen`)
        const slices = await log.read(from, { ...NO_LIMIT, records: 50 }, { ms: 500 })
        seen.push(...idsOf(recordsOf(slices)))
        from = nextPositions(from, slices)
      }
      await Promise.all(writers)
      assert.equal(new Set(seen).size, 540)
    },
  },
]
