import assert from 'node:assert/strict'
import type { EventLog, LogEnd, LogRecord, TopicSpec } from '../event-log.ts'
import type { LogCase } from './fixtures.ts'
import { LONG_WAIT_MS, ORDERS, NO_LIMIT, declareTopics, testEvent, testEvents } from './fixtures.ts'
import { idsOf, keyInPartition, waitBriefly, readAll, recordsOf, reopenTrial } from './fixtures.ts'
import { sliceAt, startPosition, appendStored, testTopic, resultCode } from './fixtures.ts'

const NOW = { ms: 0 } as const

/** Later than any storage time. */
const NEVER_MS = Number.MAX_SAFE_INTEGER

async function endOf(log: EventLog, partition: number): Promise<LogEnd> {
  const end = (await log.ends([ORDERS])).find((each) => each.partition === partition)
  assert.ok(end)
  return end
}

async function recordsAt(log: EventLog, partition: number): Promise<readonly LogRecord[]> {
  return recordsOf(await log.read([startPosition(partition)], NO_LIMIT, NOW))
}

/** Waits until the log's clock has advanced, and returns its time. */
async function waitForLaterTime(log: EventLog): Promise<number> {
  const [partition, key] = [3, keyInPartition(3)]
  const storeOne = async (name: string): Promise<LogRecord | undefined> => {
    const { next } = await endOf(log, partition)
    await appendStored(log, [testEvent(`${name}-${next}`, { key })])
    return recordsOf(await log.read([{ ...startPosition(partition), next }], NO_LIMIT, NOW))[0]
  }
  const first = await storeOne('first')
  for (let tries = 0; tries < 10_000; tries += 1) {
    await waitBriefly(log)
    const last = await storeOne('then')
    if (first && last && last.storedAt > first.storedAt) return last.storedAt
  }
  throw new Error('the clock of the log stands still')
}

/** Retention settings, and storage times. */
export const retentionCases: readonly LogCase[] = [
  {
    promise: 'Retention and compaction are stored with the topic; differences are reported',
    async run({ backend: { log } }) {
      const settings = { retention: { ageMs: 60_000, bytes: 1_000 } }
      const kept: TopicSpec = { ...testTopic(ORDERS), ...settings }
      const compact = { ...testTopic('shop.events'), compaction: { deleteRetentionMs: 5 } }
      const [first, second] = await log.declare([kept, compact])
      assert.deepEqual(first, { ...kept, isNew: true, differences: [] })
      assert.deepEqual(second, { ...compact, isNew: true, differences: [] })
      for (const wanted of [
        testTopic(ORDERS),
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
      const log = await declareTopics(backend)
      const key = keyInPartition(1)
      await appendStored(log, [testEvent('early', { key, at: 5 })])
      const afterMs = await waitForLaterTime(log)
      await appendStored(log, testEvents('late', 5, { key, at: 1 }))
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
      const log = await declareTopics(backend)
      const key = keyInPartition(1)
      assert.equal(await log.offsetAt(ORDERS, 1, 0), (await endOf(log, 1)).next)
      for (const name of ['a', 'b', 'c']) {
        await appendStored(log, testEvents(name, 7, { key }))
        await waitForLaterTime(log)
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
async function appendForCompaction(log: EventLog): Promise<readonly LogRecord[]> {
  const [key, other, gone] = keysIn(1, 3)
  await appendStored(log, [
    testEvent('k-0', { key }),
    testEvent('g-0', { key: gone }),
    testEvent('k-1', { key }),
    testEvent('o-0', { key: other }),
    testEvent('g-1', { key: gone, data: null }),
    testEvent('k-2', { key }),
    testEvent('aside', { key: keyInPartition(2) }),
    testEvent('aside-2', { key: keyInPartition(2) }),
  ])
  return recordsAt(log, 1)
}

function keysIn(partition: number, count: number): readonly [string, string, string] {
  const key = keyInPartition(partition)
  const others = Array.from({ length: 1_000 }, (_, at) => `other-${at}`).filter((each) => {
    return testEvent('e', { key: each }).partition === partition
  })
  return [key, ...others].slice(0, count) as [string, string, string]
}

/** Compaction by key. */
export const compactCases: readonly LogCase[] = [
  {
    promise: 'Compaction removes superseded records, and nothing else',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const records = await appendForCompaction(log)
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
      const log = await declareTopics(backend)
      const records = await appendForCompaction(log)
      const before = records.find(({ id }) => id === 'k-1')?.offset ?? 0
      assert.equal(await log.compact(ORDERS, 1, before, NEVER_MS), 2)
      assert.deepEqual(idsOf(await recordsAt(log, 1)), ['k-1', 'o-0', 'g-1', 'k-2'])
    },
  },
  {
    promise: 'A tombstone is removed once it was stored before the given time',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const records = await appendForCompaction(log)
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
      const log = await declareTopics(backend)
      const records = await appendForCompaction(log)
      const { first, next } = await endOf(log, 1)
      await log.compact(ORDERS, 1, next, NEVER_MS)
      assert.deepEqual(await endOf(log, 1), { topic: ORDERS, partition: 1, first, next })
      for (const { offset } of records) {
        const from = { ...startPosition(1), next: offset }
        const slice = sliceAt(await log.read([from], NO_LIMIT, { ms: LONG_WAIT_MS }), from)
        const left = records.filter(({ id }) => id === 'o-0' || id === 'k-2')
        assert.deepEqual(
          slice.records,
          left.filter((record) => record.offset >= offset),
        )
        assert.equal(slice.next, next)
        assert.equal(slice.lost, undefined)
      }
      const one = { records: 1, bytes: NO_LIMIT.bytes }
      assert.deepEqual(idsOf(recordsOf(await log.read([startPosition(1)], one, NOW))), ['o-0'])
      assert.equal(await log.offsetAt(ORDERS, 1, 0), records.find(({ id }) => id === 'o-0')?.offset)
    },
  },
  {
    promise: 'The ids of compacted records stay known, with their content',
    async run({ backend }) {
      const log = await declareTopics(backend)
      await appendForCompaction(log)
      const [key, , gone] = keysIn(1, 3)
      await log.compact(ORDERS, 1, (await endOf(log, 1)).next, NEVER_MS)
      const answers = [
        ...(await log.append([testEvent('k-0', { key })])),
        ...(await log.append([testEvent('g-1', { key: gone, data: null })])),
        ...(await log.append([testEvent('k-1', { key, data: '{"other":1}' })])),
        ...(await log.append([testEvent('g-0', { key: gone, data: null })])),
      ]
      const verdicts = ['repeat', 'repeat', 'ID_CONFLICT', 'ID_CONFLICT']
      assert.deepEqual(answers.map(resultCode), verdicts)
      assert.deepEqual(idsOf(await recordsAt(log, 1)), ['o-0', 'k-2'])
    },
  },
  {
    promise: 'A trim removes compacted records and their ids, and offsets continue',
    async run({ backend }) {
      const log = await declareTopics(backend)
      await appendForCompaction(log)
      const [key] = keysIn(1, 3)
      const { next } = await endOf(log, 1)
      await log.compact(ORDERS, 1, next, NEVER_MS)
      await log.trim(ORDERS, 1, next)
      const [answer] = await log.append([testEvent('k-0', { key })])
      assert.equal(answer && resultCode(answer), 'stored')
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
      const kept = { ...testTopic(ORDERS), retention: { ageMs: 9 }, compaction: SHORT }
      await log.declare([kept, testTopic('payments.events')])
      await appendForCompaction(log)
      const { next: end } = await endOf(log, 1)
      await log.compact(ORDERS, 1, end, NEVER_MS)
      const records = await readAll(log)
      const { log: next } = await reopenTrial(trial)
      const [state] = await next.declare([kept])
      assert.deepEqual(state, { ...kept, isNew: false, differences: [] })
      assert.deepEqual(await readAll(next), records)
      const [key] = keysIn(1, 3)
      const [answer] = await next.append([testEvent('k-0', { key })])
      assert.equal(answer && resultCode(answer), 'repeat')
      await appendStored(next, [testEvent('k-3', { key })])
      const times = (await recordsAt(next, 1)).map(({ storedAt }) => storedAt)
      assert.ok((times.at(-1) ?? 0) >= (times.at(-2) ?? 0))
    },
  },
]

const SHORT = { deleteRetentionMs: 1 } as const
