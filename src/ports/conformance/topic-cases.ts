import assert from 'node:assert/strict'
import type { EventLog, LogEnd } from '../event-log.ts'
import type { LogCase } from './fixtures.ts'
import {
  LONG_WAIT_MS,
  ORDERS,
  PAYMENTS,
  NO_LIMIT,
  declareTopics,
  eventOfRecord,
} from './fixtures.ts'
import { testEvent, testEvents, idsOf, keyInPartition, assertStored, readAll } from './fixtures.ts'
import {
  recordsOf,
  reopenTrial,
  sliceAt,
  startPosition,
  appendStored,
  testTopic,
} from './fixtures.ts'
import { resultCode } from './fixtures.ts'

const NOW = { ms: 0 } as const

/** Topics, opening and closing. */
export const topicCases: readonly LogCase[] = [
  {
    promise: 'Declaring creates missing topics and reports which are new',
    async run({ backend: { log } }) {
      const first = await log.declare([testTopic(ORDERS, 3)])
      assert.deepEqual(first, [{ ...testTopic(ORDERS, 3), isNew: true, differences: [] }])
      assert.deepEqual(await log.declare([testTopic(PAYMENTS, 1), testTopic(ORDERS, 3)]), [
        { ...testTopic(PAYMENTS, 1), isNew: true, differences: [] },
        { ...testTopic(ORDERS, 3), isNew: false, differences: [] },
      ])
      assert.equal((await log.ends([ORDERS])).length, 3)
    },
  },
  {
    promise: 'Declaring reports differences and never applies them',
    async run({ backend }) {
      const log = await declareTopics(backend)
      await appendStored(log, testEvents('e', 10))
      for (const wanted of [2, 8]) {
        const [state] = await log.declare([testTopic(ORDERS, wanted)])
        assert.equal(state?.isNew, false)
        assert.equal(state.partitions, 4, 'as the log has it')
        assert.ok(state.differences.length > 0 && state.differences.every(Boolean))
      }
      assert.equal((await log.ends([ORDERS])).length, 4)
      assert.equal((await readAll(log)).length, 10)
      const [answer] = await log.append([testEvent('wide', { partition: 5 })])
      assert.equal(answer && resultCode(answer), 'PARTITION_NOT_FOUND')
    },
  },
  {
    promise: 'Concurrent declarations create a topic once',
    async run({ backend: { log } }) {
      const states = await Promise.all([1, 2, 3].map(() => log.declare([testTopic(ORDERS)])))
      assert.equal(states.flat().filter(({ isNew }) => isNew).length, 1)
      assert.equal((await log.ends([ORDERS])).length, 4)
    },
  },
  {
    promise: 'The first and next offset of an empty partition are the same',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const ends = await log.ends([PAYMENTS, ORDERS])
      assert.equal(ends.length, 8)
      for (const { first, next } of ends) assert.equal(first, next)
    },
  },
  {
    promise: 'The ends are the first retained offset and the one after the last',
    async run({ backend }) {
      const log = await declareTopics(backend)
      await appendStored(log, testEvents('e', 40))
      const records = await readAll(log)
      const ends = await log.ends([ORDERS])
      assert.deepEqual(new Set(ends.map(({ partition }) => partition)), new Set([0, 1, 2, 3]))
      assert.equal(ends.length, 4)
      for (const { partition, first, next } of ends) {
        const offsets = records.filter((record) => record.partition === partition)
        assert.equal(first, offsets[0]?.offset)
        assert.ok(next > (offsets.at(-1)?.offset ?? -1))
      }
    },
  },
  {
    promise: 'Opening again is harmless',
    async run({ backend }) {
      const log = await declareTopics(backend)
      await appendStored(log, testEvents('e', 5))
      await Promise.all([log.open(), log.open()])
      assert.equal((await readAll(log)).length, 5)
    },
  },
  {
    promise: 'Closing finishes accepted appends, and may be repeated',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const appending = [1, 2, 3].map((at) => log.append(testEvents(`call-${at}`, 20)))
      await log.close()
      await log.close()
      assertStored((await Promise.all(appending)).flat())
    },
  },
  {
    promise: 'The health reports what an ack means',
    async run({ backend: { log } }) {
      const { status, ack, detail } = await log.health()
      assert.equal(status, 'well')
      assert.equal(ack, log.can.ack)
      assert.ok(detail.length > 0)
    },
  },
]

async function endOf(log: EventLog, partition: number, topic: string = ORDERS): Promise<LogEnd> {
  const end = (await log.ends([topic])).find((each) => each.partition === partition)
  assert.ok(end)
  return end
}

/** Ten records in partition 1, of which the first six are trimmed; one record elsewhere. */
async function appendAndTrim(log: EventLog): Promise<{ readonly before: number }> {
  await appendStored(log, testEvents('e', 10, { key: keyInPartition(1) }))
  await appendStored(log, [testEvent('aside', { key: keyInPartition(2) })])
  const records = recordsOf(await log.read([startPosition(1)], NO_LIMIT, NOW))
  const before = records[6]?.offset ?? 0
  await log.trim(ORDERS, 1, before)
  return { before }
}

/** Trimming. */
export const trimCases: readonly LogCase[] = [
  {
    promise: 'A trim removes the records below an offset, in that partition only',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const { before } = await appendAndTrim(log)
      assert.deepEqual(idsOf(await readAll(log)).toSorted(), ['aside', 'e-6', 'e-7', 'e-8', 'e-9'])
      assert.equal((await endOf(log, 1)).first, before)
    },
  },
  {
    promise: 'A reader gets the range of offsets that were trimmed',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const { before } = await appendAndTrim(log)
      const from = { ...startPosition(1), next: 0 }
      const slice = sliceAt(await log.read([from, startPosition(2)], NO_LIMIT, NOW), from)
      assert.deepEqual(slice.lost, { from: 0, to: before })
      assert.deepEqual(idsOf(slice.records), ['e-6', 'e-7', 'e-8', 'e-9'])
      const rest = sliceAt(await log.read([{ ...from, next: before }], NO_LIMIT, NOW), from)
      assert.equal(rest.lost, undefined)
      assert.equal(rest.records.length, 4)
    },
  },
  {
    promise: 'Trimmed offsets are reported at once, also where nothing is retained',
    async run({ backend }) {
      const log = await declareTopics(backend)
      await appendStored(log, testEvents('e', 10, { key: keyInPartition(1) }))
      const { next } = await endOf(log, 1)
      await log.trim(ORDERS, 1, next)
      const from = { ...startPosition(1), next: 0 }
      const slice = sliceAt(await log.read([from], NO_LIMIT, { ms: LONG_WAIT_MS }), from)
      assert.deepEqual(slice.lost, { from: 0, to: next })
      assert.deepEqual(slice.records, [])
      assert.equal(slice.next, next)
    },
  },
  {
    promise: 'A trim removes the ids of the trimmed records, and no others',
    async run({ backend }) {
      const log = await declareTopics(backend)
      await appendAndTrim(log)
      if (log.find) assert.equal(await log.find(ORDERS, 'e-0'), undefined)
      const again = await log.append(testEvents('e', 10, { key: keyInPartition(1) }))
      const forgotten = Array.from({ length: 10 }, (_, at) => (at < 6 ? 'stored' : 'repeat'))
      assert.deepEqual(again.map(resultCode), forgotten)
    },
  },
  {
    promise: 'Offsets continue after trimmed records, also when all were trimmed',
    async run({ backend }) {
      const log = await declareTopics(backend)
      await appendStored(log, testEvents('e', 5, { key: keyInPartition(1) }))
      const { next } = await endOf(log, 1)
      await log.trim(ORDERS, 1, next)
      const empty = await endOf(log, 1)
      assert.equal(empty.next, next)
      assert.equal(empty.first, empty.next)
      await appendStored(log, [testEvent('late', { key: keyInPartition(1) })])
      const [record, ...more] = await readAll(log)
      assert.equal(record?.id, 'late')
      assert.ok(record.offset >= next)
      assert.deepEqual(more, [])
    },
  },
  {
    promise: 'A trim below the first retained offset removes nothing',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const { before } = await appendAndTrim(log)
      await log.trim(ORDERS, 1, before - 2)
      await log.trim(ORDERS, 1, 0)
      assert.equal((await endOf(log, 1)).first, before)
      assert.equal((await readAll(log)).length, 5)
    },
  },
]

/** Durability of the log. */
export const logDurabilityCases: readonly LogCase[] = [
  {
    promise: 'Stored events are there for the next instance, with ids and ends',
    needs: ({ log }) => log?.ack !== 'memory',
    async otherwise({ backend: { log } }) {
      assert.equal((await log.health()).ack, 'memory', 'the health says so')
    },
    async run(trial) {
      const log = await declareTopics(trial.backend)
      const events = testEvents('e', 50)
      await appendStored(log, events)
      await log.trim(ORDERS, 1, (await endOf(log, 1)).next)
      const [records, ends] = [await readAll(log), await log.ends([ORDERS, PAYMENTS])]
      const appending = log.append([testEvent('last', { topic: PAYMENTS })])
      const { log: next } = await reopenTrial(trial)
      assertStored(await appending)
      const states = await next.declare([testTopic(ORDERS, 7)])
      assert.equal(states[0]?.isNew, false)
      assert.equal(states[0].partitions, 4)
      assert.deepEqual(await readAll(next), records)
      assert.deepEqual(
        await next.ends([ORDERS]),
        ends.filter(({ topic }) => topic === ORDERS),
      )
      assert.deepEqual(idsOf((await readAll(next, PAYMENTS)).map(eventOfRecord)), ['last'])
      const again = await next.append(events)
      for (const [at, { partition, id }] of events.entries())
        assert.equal(again[at] && resultCode(again[at]), partition === 1 ? 'stored' : 'repeat', id)
      for (const { partition, offset } of await readAll(next))
        if (partition === 1) assert.ok(offset >= (ends[1]?.next ?? 0), 'offsets are not reused')
    },
  },
]
