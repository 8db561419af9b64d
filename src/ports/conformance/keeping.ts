import assert from 'node:assert/strict'
import type { EventLog, LogEnd, LogRecord, TopicSpec } from '../log.ts'
import type { LogCase } from './sample.ts'
import { LONG_MS, ORDERS, PLENTY, declared, eventOf, eventsOf } from './sample.ts'
import { idsOf, keyIn, moment, readAll, recordsIn, reopened } from './sample.ts'
import { sliceAt, start, stored, topicOf, verdictOf } from './sample.ts'

const NOW = { ms: 0 } as const

/** Later than any storage time. */
const NEVER_MS = Number.MAX_SAFE_INTEGER

async function endOf(log: EventLog, partition: number): Promise<LogEnd> {
  const end = (await log.ends([ORDERS])).find((each) => each.partition === partition)
  assert.ok(end)
  return end
}

async function recordsAt(log: EventLog, partition: number): Promise<readonly LogRecord[]> {
  return recordsIn(await log.read([start(partition)], PLENTY, NOW))
}

/** Waits until the log's clock has advanced, and returns its time. */
async function later(log: EventLog): Promise<number> {
  const [partition, key] = [3, keyIn(3)]
  const storeOne = async (name: string): Promise<LogRecord | undefined> => {
    const { next } = await endOf(log, partition)
    await stored(log, [eventOf(`${name}-${next}`, { key })])
    return recordsIn(await log.read([{ ...start(partition), next }], PLENTY, NOW))[0]
  }
  const first = await storeOne('first')
  for (let tries = 0; tries < 10_000; tries += 1) {
    await moment(log)
    const last = await storeOne('then')
    if (first && last && last.storedAt > first.storedAt) return last.storedAt
  }
  throw new Error('the clock of the log stands still')
}

/** Retention settings, and storage times. */
export const keepingCases: readonly LogCase[] = [
  {
    promise: 'Retention and compaction are stored with the topic; differences are reported',
    async run({ backend: { log } }) {
      const settings = { retention: { ageMs: 60_000, bytes: 1_000 } }
      const kept: TopicSpec = { ...topicOf(ORDERS), ...settings }
      const compact = { ...topicOf('shop.events'), compaction: { deleteRetentionMs: 5 } }
      const [first, second] = await log.declare([kept, compact])
      assert.deepEqual(first, { ...kept, isNew: true, differences: [] })
      assert.deepEqual(second, { ...compact, isNew: true, differences: [] })
      for (const wanted of [
        topicOf(ORDERS),
        { ...kept, retention: { ageMs: 60_001, bytes: 1_000 } },
        { ...kept, retention: { ageMs: 60_000 } },
        { ...kept, compaction: { deleteRetentionMs: 0 } },
      ]) {
        const [state] = await log.declare([wanted])
        assert.ok(state && state.differences.length > 0, JSON.stringify(wanted))
        assert.deepEqual(state, { ...kept, isNew: false, differences: state.differences })
      }
      const again = await log.declare([kept, compact])
      for (const { differences } of again) assert.deepEqual(differences, [])
    },
  },
  {
    promise: 'A record has its storage time, which never decreases inside a partition',
    async run({ backend }) {
      const log = await declared(backend)
      const key = keyIn(1)
      await stored(log, [eventOf('early', { key, at: 5 })])
      const afterMs = await later(log)
      await stored(log, eventsOf('late', 5, { key, at: 1 }))
      const times = (await recordsAt(log, 1)).map(({ storedAt }) => storedAt)
      assert.equal(times.length, 6)
      assert.deepEqual(
        times,
        times.toSorted((a, b) => a - b),
      )
      assert.ok(times.every(Number.isSafeInteger), 'whole milliseconds')
      assert.ok((times[0] ?? 0) < afterMs && (times[1] ?? 0) >= afterMs, 'by the clock of the log')
    },
  },
  {
    promise: 'The offset at a time is that of the first record stored at or after it',
    async run({ backend }) {
      const log = await declared(backend)
      const key = keyIn(1)
      assert.equal(await log.offsetAt(ORDERS, 1, 0), (await endOf(log, 1)).next)
      for (const name of ['a', 'b', 'c']) {
        await stored(log, eventsOf(name, 7, { key }))
        await later(log)
      }
      const records = await recordsAt(log, 1)
      assert.equal(records.length, 21)
      for (const { storedAt } of records)
        for (const atMs of [storedAt, storedAt - 1, storedAt + 1]) {
          const first = records.find((record) => record.storedAt >= atMs)
          const expected = first?.offset ?? (await endOf(log, 1)).next
          assert.equal(await log.offsetAt(ORDERS, 1, atMs), expected)
        }
      const { next } = await endOf(log, 1)
      assert.equal(await log.offsetAt(ORDERS, 1, NEVER_MS), next)
      assert.equal(await log.offsetAt(ORDERS, 1, 0), records[0]?.offset)
      await log.trim(ORDERS, 1, records[9]?.offset ?? 0)
      assert.equal(await log.offsetAt(ORDERS, 1, 0), records[9]?.offset)
    },
  },
]

/** In partition 1: three records of one key, one of another, and a tombstone after its record. */
async function written(log: EventLog): Promise<readonly LogRecord[]> {
  const [key, other, gone] = keysIn(1, 3)
  await stored(log, [
    eventOf('k-0', { key }),
    eventOf('g-0', { key: gone }),
    eventOf('k-1', { key }),
    eventOf('o-0', { key: other }),
    eventOf('g-1', { key: gone, data: null }),
    eventOf('k-2', { key }),
    eventOf('aside', { key: keyIn(2) }),
    eventOf('aside-2', { key: keyIn(2) }),
  ])
  return recordsAt(log, 1)
}

function keysIn(partition: number, count: number): readonly [string, string, string] {
  const key = keyIn(partition)
  const others = Array.from({ length: 1_000 }, (_, at) => `other-${at}`).filter((each) => {
    return eventOf('e', { key: each }).partition === partition
  })
  return [key, ...others].slice(0, count) as [string, string, string]
}

/** Compaction by key. */
export const compactCases: readonly LogCase[] = [
  {
    promise: 'Compaction removes superseded records, and nothing else',
    async run({ backend }) {
      const log = await declared(backend)
      const records = await written(log)
      const { next } = await endOf(log, 1)
      assert.equal(await log.compact(ORDERS, 1, next, 0), 3)
      const left = await recordsAt(log, 1)
      assert.deepEqual(idsOf(left), ['o-0', 'g-1', 'k-2'])
      for (const record of left)
        assert.deepEqual(
          record,
          records.find(({ id }) => id === record.id),
        )
      assert.equal((await recordsAt(log, 2)).length, 2, 'other partitions stay as they are')
      assert.equal(await log.compact(ORDERS, 1, next, 0), 0, 'there is nothing more to remove')
      if (log.find) assert.equal(await log.find(ORDERS, 'k-0'), undefined)
      if (log.find) assert.equal((await log.find(ORDERS, 'k-2'))?.id, 'k-2')
    },
  },
  {
    promise:
      'Compaction removes nothing from its bound on; records there still supersede earlier ones',
    async run({ backend }) {
      const log = await declared(backend)
      const records = await written(log)
      const before = records.find(({ id }) => id === 'k-1')?.offset ?? 0
      assert.equal(await log.compact(ORDERS, 1, before, NEVER_MS), 2)
      assert.deepEqual(idsOf(await recordsAt(log, 1)), ['k-1', 'o-0', 'g-1', 'k-2'])
    },
  },
  {
    promise: 'A tombstone is removed once it was stored before the given time',
    async run({ backend }) {
      const log = await declared(backend)
      const records = await written(log)
      const { next } = await endOf(log, 1)
      const storedAt = records.find(({ id }) => id === 'g-1')?.storedAt ?? 0
      await log.compact(ORDERS, 1, next, storedAt)
      assert.deepEqual(idsOf(await recordsAt(log, 1)), ['o-0', 'g-1', 'k-2'])
      assert.equal(await log.compact(ORDERS, 1, next, storedAt + 1), 1)
      assert.deepEqual(idsOf(await recordsAt(log, 1)), ['o-0', 'k-2'])
    },
  },
  {
    promise: 'A compacted record is a hole: readers skip it, and it is not reported as lost',
    async run({ backend }) {
      const log = await declared(backend)
      const records = await written(log)
      const { first, next } = await endOf(log, 1)
      await log.compact(ORDERS, 1, next, NEVER_MS)
      assert.deepEqual(await endOf(log, 1), { topic: ORDERS, partition: 1, first, next })
      for (const { offset } of records) {
        const from = { ...start(1), next: offset }
        const slice = sliceAt(await log.read([from], PLENTY, { ms: LONG_MS }), from)
        const left = records.filter(({ id }) => id === 'o-0' || id === 'k-2')
        assert.deepEqual(
          slice.records,
          left.filter((record) => record.offset >= offset),
        )
        assert.equal(slice.next, next)
        assert.equal(slice.lost, undefined)
      }
      const one = { records: 1, bytes: PLENTY.bytes }
      assert.deepEqual(idsOf(recordsIn(await log.read([start(1)], one, NOW))), ['o-0'])
      assert.equal(await log.offsetAt(ORDERS, 1, 0), records.find(({ id }) => id === 'o-0')?.offset)
    },
  },
  {
    promise: 'The ids of compacted records stay known, with their content',
    async run({ backend }) {
      const log = await declared(backend)
      await written(log)
      const [key, , gone] = keysIn(1, 3)
      await log.compact(ORDERS, 1, (await endOf(log, 1)).next, NEVER_MS)
      const answers = [
        ...(await log.append([eventOf('k-0', { key })])),
        ...(await log.append([eventOf('g-1', { key: gone, data: null })])),
        ...(await log.append([eventOf('k-1', { key, data: '{"other":1}' })])),
        ...(await log.append([eventOf('g-0', { key: gone, data: null })])),
      ]
      const verdicts = ['repeat', 'repeat', 'ID_CONFLICT', 'ID_CONFLICT']
      assert.deepEqual(answers.map(verdictOf), verdicts)
      assert.deepEqual(idsOf(await recordsAt(log, 1)), ['o-0', 'k-2'])
    },
  },
  {
    promise: 'A trim removes compacted records and their ids, and offsets continue',
    async run({ backend }) {
      const log = await declared(backend)
      await written(log)
      const [key] = keysIn(1, 3)
      const { next } = await endOf(log, 1)
      await log.compact(ORDERS, 1, next, NEVER_MS)
      await log.trim(ORDERS, 1, next)
      const [answer] = await log.append([eventOf('k-0', { key })])
      assert.equal(answer && verdictOf(answer), 'stored')
      const [record, ...more] = await recordsAt(log, 1)
      assert.ok(record && record.offset >= next)
      assert.deepEqual(more, [])
    },
  },
  {
    promise: 'Compaction, storage times and settings are the same for the next instance',
    needs: ({ log }) => log?.ack !== 'memory',
    async otherwise({ backend: { log } }) {
      assert.equal((await log.health()).ack, 'memory', 'the health says so')
    },
    async run(trial) {
      const { log } = trial.backend
      const kept = { ...topicOf(ORDERS), retention: { ageMs: 9 }, compaction: SHORT }
      await log.declare([kept, topicOf('payments.events')])
      await written(log)
      const { next: end } = await endOf(log, 1)
      await log.compact(ORDERS, 1, end, NEVER_MS)
      const records = await readAll(log)
      const { log: next } = await reopened(trial)
      const [state] = await next.declare([kept])
      assert.deepEqual(state, { ...kept, isNew: false, differences: [] })
      assert.deepEqual(await readAll(next), records)
      const [key] = keysIn(1, 3)
      const [answer] = await next.append([eventOf('k-0', { key })])
      assert.equal(answer && verdictOf(answer), 'repeat')
      await stored(next, [eventOf('k-3', { key })])
      const times = (await recordsAt(next, 1)).map(({ storedAt }) => storedAt)
      assert.ok((times.at(-1) ?? 0) >= (times.at(-2) ?? 0))
    },
  },
]

const SHORT = { deleteRetentionMs: 1 } as const
