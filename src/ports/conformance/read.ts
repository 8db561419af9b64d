import assert from 'node:assert/strict'
import type { EventLog, LogRecord, Position } from '../log.ts'
import type { LogCase } from './sample.ts'
import { LONG_MS, ORDERS, PAYMENTS, PLENTY, declared, eventIn } from './sample.ts'
import { eventOf, eventsOf, idsByKey, idsOf, keyIn, moment } from './sample.ts'
import { onFrom, recordsIn, sliceAt, start, starts, stored } from './sample.ts'

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
      const log = await declared(backend)
      const events = eventsOf('e', 60)
      await stored(log, events)
      const from = [...starts(), start(1, PAYMENTS)]
      const slices = await log.read(from, PLENTY, NOW)
      onFrom(from, slices)
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
      assert.deepEqual(idsByKey(recordsIn(slices).map(eventIn)), idsByKey(events))
    },
  },
  {
    promise: 'Continuing from `next` neither skips a record nor repeats one',
    async run({ backend }) {
      const log = await declared(backend)
      const events = eventsOf('e', 90)
      await stored(log, events)
      let from: Position[] = starts()
      const seen: LogRecord[] = []
      for (let reads = 0; seen.length < 90; reads += 1) {
        assert.ok(reads < 200, 'reads make progress')
        const slices = await log.read(from, { records: 7, bytes: PLENTY.bytes }, { ms: 100 })
        seen.push(...recordsIn(slices))
        from = onFrom(from, slices)
      }
      assert.deepEqual(idsByKey(seen.map(eventIn)), idsByKey(events))
      assert.deepEqual(recordsIn(await log.read(from, PLENTY, NOW)), [])
    },
  },
  {
    promise: 'A read may start at any record',
    async run({ backend }) {
      const log = await declared(backend)
      const key = keyIn(3)
      await stored(log, eventsOf('e', 10, { key }))
      const records = recordsIn(await log.read([start(3)], PLENTY, NOW))
      for (const [at, { offset: next }] of records.entries()) {
        const slices = await log.read([{ ...start(3), next }], PLENTY, NOW)
        assert.deepEqual(recordsIn(slices), records.slice(at))
      }
    },
  },
  {
    promise: 'A read that starts inside the events of one call returns no earlier record',
    async run({ backend }) {
      const log = await declared(backend)
      const key = keyIn(3)
      await stored(log, eventsOf('e', 200, { key }))
      const records = recordsIn(await log.read([start(3)], PLENTY, NOW))
      const next = records[150]?.offset ?? 0
      const rest = await log.read([{ ...start(3), next }], { records: 5, bytes: 1e6 }, NOW)
      assert.deepEqual(recordsIn(rest), records.slice(150, 155))
    },
  },
  {
    promise: 'Reading changes nothing: the same read returns the same again',
    async run({ backend }) {
      const log = await declared(backend)
      await stored(log, eventsOf('e', 20))
      const once = await log.read(starts(), PLENTY, NOW)
      assert.deepEqual(recordsIn(await log.read(starts(), PLENTY, NOW)), recordsIn(once))
    },
  },
  {
    promise: 'The next appended record has at least the offset `end`',
    async run({ backend }) {
      const log = await declared(backend)
      const key = keyIn(0)
      for (let at = 0; at < 3; at += 1) {
        const from = start(0)
        const before = sliceAt(await log.read([from], PLENTY, NOW), from)
        assert.ok(before.end > (before.records.at(-1)?.offset ?? -1))
        await stored(log, [eventOf(`e-${at}`, { key })])
        const [record] = recordsIn(await log.read([{ ...from, next: before.end }], PLENTY, NOW))
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
      const log = await declared(backend)
      await stored(log, eventsOf('e', 8))
      const from = await endsOf(log)
      const slices = await log.read(from, PLENTY, NOW)
      assert.deepEqual(onFrom(from, slices), from)
      assert.deepEqual(recordsIn(slices), [])
    },
  },
  {
    promise: 'A read does not wait while there are records',
    async run({ backend }) {
      const log = await declared(backend)
      await stored(log, [eventOf('e-1', { key: keyIn(2) })])
      const slices = await log.read(starts(), PLENTY, { ms: LONG_MS })
      assert.deepEqual(idsOf(recordsIn(slices)), ['e-1'])
      assert.equal(slices.length, 4)
    },
  },
  {
    promise: 'A read waits for the next append, and returns its records',
    async run({ backend }) {
      const log = await declared(backend)
      await stored(log, eventsOf('e', 8))
      const from = [...(await endsOf(log)), start(1, PAYMENTS)]
      const reading = log.read(from, PLENTY, { ms: LONG_MS })
      await moment(log)
      await stored(log, [eventOf('late', { key: keyIn(2) })])
      const slices = await reading
      assert.deepEqual(idsOf(recordsIn(slices)), ['late'])
      onFrom(from, slices)
    },
  },
  {
    promise: 'Each of many waiting reads wakes',
    async run({ backend }) {
      const log = await declared(backend)
      const readers = Array.from({ length: 20 }, () => {
        return log.read(starts(), PLENTY, { ms: LONG_MS })
      })
      await moment(log)
      await stored(log, [eventOf('e-1')])
      for (const slices of await Promise.all(readers))
        assert.deepEqual(idsOf(recordsIn(slices)), ['e-1'])
    },
  },
  {
    promise: 'A read without new records returns empty slices after its wait',
    async run({ backend }) {
      const log = await declared(backend)
      const slices = await log.read(starts(), PLENTY, { ms: 20 })
      assert.deepEqual(onFrom(starts(), slices), starts())
      assert.deepEqual(recordsIn(slices), [])
    },
  },
  {
    promise: 'An abort ends a wait, and the read returns what it has',
    async run({ backend }) {
      const log = await declared(backend)
      const abort = new AbortController()
      const wait = { ms: LONG_MS, signal: abort.signal }
      const reading = log.read(starts(), PLENTY, wait)
      await moment(log)
      abort.abort()
      assert.deepEqual(onFrom(starts(), await reading), starts())
      assert.deepEqual(onFrom(starts(), await log.read(starts(), PLENTY, wait)), starts())
    },
  },
  {
    promise: 'An abort of one read leaves others waiting',
    async run({ backend }) {
      const log = await declared(backend)
      const abort = new AbortController()
      const aborted = log.read(starts(), PLENTY, { ms: LONG_MS, signal: abort.signal })
      const other = log.read(starts(), PLENTY, { ms: LONG_MS })
      await moment(log)
      abort.abort()
      await aborted
      await stored(log, [eventOf('e-1')])
      assert.deepEqual(idsOf(recordsIn(await other)), ['e-1'])
    },
  },
  {
    promise: 'Closing the log ends reads that wait',
    async run({ backend }) {
      const log = await declared(backend)
      const reading = log.read(starts(), PLENTY, { ms: LONG_MS })
      await moment(log)
      await log.close()
      const [ended] = await Promise.allSettled([reading])
      if (ended.status === 'fulfilled') assert.deepEqual(recordsIn(ended.value), [])
    },
  },
]

/** Limits of a read, and fairness between partitions. */
export const boundCases: readonly LogCase[] = [
  {
    promise: 'A read returns no more records than requested, over all slices',
    async run({ backend }) {
      const log = await declared(backend)
      await stored(log, eventsOf('e', 80))
      for (const records of [1, 3, 10, 79]) {
        const slices = await log.read(starts(), { ...PLENTY, records }, NOW)
        assert.equal(slices.length, 4)
        const count = recordsIn(slices).length
        assert.ok(count > 0 && count <= records, `${count} records of at most ${records}`)
      }
    },
  },
  {
    promise: 'A read returns no more bytes than requested, over all slices',
    async run({ backend }) {
      const log = await declared(backend)
      const data = JSON.stringify('x'.repeat(1_000))
      await stored(log, eventsOf('e', 40, { data }))
      for (const bytes of [1_500, 5_500, 20_000]) {
        const found = recordsIn(await log.read(starts(), { ...PLENTY, bytes }, NOW))
        const sum = found.length * data.length
        assert.ok(sum > 0 && sum <= bytes, `${sum} bytes of at most ${bytes}`)
      }
    },
  },
  {
    promise: 'A record larger than the limit is returned alone',
    async run({ backend }) {
      const log = await declared(backend)
      const [small, large] = ['"s"', JSON.stringify('x'.repeat(50_000))]
      const key = keyIn(1)
      const sizes = [small, large, large, small]
      await stored(
        log,
        sizes.map((data, at) => eventOf(`e-${at}`, { key, data })),
      )
      await stored(log, [eventOf('aside', { key: keyIn(2), data: large })])
      const seen: string[] = []
      let from: Position[] = starts()
      for (let reads = 0; seen.length < 5; reads += 1) {
        assert.ok(reads < 100, 'reads make progress')
        const slices = await log.read(from, { records: 100, bytes: 1_000 }, { ms: 100 })
        const records = recordsIn(slices)
        if (records.some(({ data }) => data === large)) assert.equal(records.length, 1, 'alone')
        seen.push(...idsOf(records))
        from = onFrom(from, slices)
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
      const log = await declared(backend)
      const quiet = [1, 2, 3].flatMap((at) => eventsOf(`quiet-${at}`, 3, { key: keyIn(at) }))
      await stored(log, quiet)
      await stored(log, eventsOf('busy', 20, { key: keyIn(0) }))
      const missing = new Set(idsOf(quiet))
      let from: Position[] = starts()
      for (let reads = 0; missing.size > 0; reads += 1) {
        assert.ok(reads < 60, `${[...missing].join()} are never read`)
        const slices = await log.read(from, { ...PLENTY, records: 2 }, { ms: 100 })
        for (const { id } of recordsIn(slices)) missing.delete(id)
        from = onFrom(from, slices)
        await stored(log, eventsOf(`busy-${reads}`, 2, { key: keyIn(0) }))
      }
    },
  },
  {
    promise: 'Concurrent readers do not starve each other',
    async run({ backend }) {
      const log = await declared(backend)
      const keys = [keyIn(0), keyIn(1)]
      const both = [start(0), start(1)]
      await stored(
        log,
        keys.flatMap((key) => eventsOf(`of-${key}`, 60, { key })),
      )
      const readers = [0, 1].map(() => ({ from: both, met: new Set<number>() }))
      for (let reads = 0; readers.some(({ met }) => met.size < 2); reads += 1) {
        assert.ok(reads < 30, 'each reader gets something of each partition')
        for (const reader of readers) {
          const slices = await log.read(reader.from, { ...PLENTY, records: 1 }, { ms: 100 })
          for (const { partition } of recordsIn(slices)) reader.met.add(partition)
          reader.from = onFrom(reader.from, slices)
        }
      }
    },
  },
  {
    promise: 'A reader at the tail skips nothing while many callers append',
    async run({ backend }) {
      const log = await declared(backend)
      const writers = Array.from({ length: 12 }, async (_, writer) => {
        for (let at = 0; at < 15; at += 1) await stored(log, eventsOf(`w${writer}-${at}`, 3))
      })
      const seen: string[] = []
      let from: Position[] = starts()
      for (let reads = 0; seen.length < 540; reads += 1) {
        assert.ok(reads < 2_000, `${seen.length} of 540 were seen`)
        const slices = await log.read(from, { ...PLENTY, records: 50 }, { ms: 500 })
        seen.push(...idsOf(recordsIn(slices)))
        from = onFrom(from, slices)
      }
      await Promise.all(writers)
      assert.equal(new Set(seen).size, 540)
    },
  },
]
