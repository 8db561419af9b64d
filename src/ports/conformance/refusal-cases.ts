import assert from 'node:assert/strict'
import type { LogAppendResult, EventLog, LogEvent } from '../event-log.ts'
import type { LogCase } from './fixtures.ts'
import {
  ORDERS,
  PAYMENTS,
  declareTopics,
  eventOfRecord,
  testEvent,
  testEvents,
} from './fixtures.ts'
import { idsOf, keyInPartition, placeOf, readAll, appendStored, resultCode } from './fixtures.ts'

const appendCodes = async (
  log: EventLog,
  events: readonly LogEvent[],
  options?: { readonly isAtomic: boolean },
): Promise<readonly string[]> => (await log.append(events, options)).map(resultCode)

const freshIn = (answers: readonly LogAppendResult[]): number =>
  answers.filter((answer) => resultCode(answer) === 'stored').length

/** Event ids. */
export const idCases: readonly LogCase[] = [
  {
    promise: 'An event appended again is stored once, and reported as a duplicate',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const events = testEvents('e', 20)
      const first = await log.append(events)
      const second = await log.append(events)
      assert.deepEqual([...new Set(first.map(resultCode))], ['stored'])
      assert.deepEqual([...new Set(second.map(resultCode))], ['repeat'])
      for (const [at, answer] of second.entries())
        if (answer.status === 'stored' && answer.place)
          assert.deepEqual({ ...first[at], isDuplicate: true }, answer)
      assert.equal((await readAll(log)).length, 20)
    },
  },
  {
    promise: 'An event twice in one call is stored once',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const [one, two] = [testEvent('e-1'), testEvent('e-2')]
      assert.deepEqual(await appendCodes(log, [one, one, two, one]), [
        'stored',
        'repeat',
        'stored',
        'repeat',
      ])
      assert.deepEqual(idsOf(await readAll(log)), ['e-1', 'e-2'])
    },
  },
  {
    promise: 'Of a call with some duplicates, only the new events are stored',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const events = testEvents('e', 50)
      await appendStored(
        log,
        events.filter((_, at) => at % 2 === 0),
      )
      assert.deepEqual(
        await appendCodes(log, events),
        events.map((_, at) => (at % 2 === 0 ? 'repeat' : 'stored')),
      )
      assert.equal((await readAll(log)).length, 50)
    },
  },
  {
    promise: 'Concurrent calls with the same ids store each event once',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const events = testEvents('e', 100)
      const calls = await Promise.all([1, 2, 3, 4].map(() => log.append(events)))
      const records = await readAll(log)
      assert.equal(records.length, 100)
      const places = new Map(records.map((record) => [record.id, placeOf(record)]))
      for (const [at, { id }] of events.entries()) {
        const answers = calls.map((call) => call[at] as LogAppendResult)
        assert.equal(freshIn(answers), 1, id)
        for (const answer of answers) {
          assert.equal(answer.status, 'stored')
          if (answer.status === 'stored' && answer.place)
            assert.deepEqual(answer.place, places.get(id))
        }
      }
    },
  },
  {
    promise: 'A duplicate may differ in head and time; the first event stays as it was',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const event = testEvent('e-1')
      await appendStored(log, [event])
      const again = { ...event, head: '{"source":"orders","traceparent":"x"}', at: 1 }
      assert.deepEqual(await appendCodes(log, [again]), ['repeat'])
      assert.deepEqual((await readAll(log)).map(eventOfRecord), [event])
    },
  },
  {
    promise: 'Another event under a known id is refused with ID_CONFLICT',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const event = testEvent('e-1', { data: 'null' })
      await appendStored(log, [event])
      const others: readonly LogEvent[] = [
        { ...event, data: '{"other":1}' },
        { ...event, data: null },
        { ...event, data: 'null ' },
        { ...event, type: 'orders.OrderCancelled' },
        testEvent('e-1', { key: keyInPartition(1), data: 'null' }),
        testEvent('e-1', { key: keyInPartition(3), data: 'null' }),
      ]
      for (const other of others) assert.deepEqual(await appendCodes(log, [other]), ['ID_CONFLICT'])
      assert.deepEqual((await readAll(log)).map(eventOfRecord), [event])
    },
  },
  {
    promise: 'Another event under an id of the same call is refused with ID_CONFLICT',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const event = testEvent('e-1')
      const other = { ...event, data: '{"other":1}' }
      assert.deepEqual(await appendCodes(log, [event, other]), ['stored', 'ID_CONFLICT'])
      assert.deepEqual((await readAll(log)).map(eventOfRecord), [event])
    },
  },
  {
    promise: 'An id belongs to its topic: two topics may have the same',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const events = [testEvent('e-1'), testEvent('e-1', { topic: PAYMENTS, data: '{"paid":1}' })]
      assert.deepEqual(await appendCodes(log, events), ['stored', 'stored'])
      assert.deepEqual((await readAll(log, ORDERS)).map(eventOfRecord), [events[0]])
      assert.deepEqual((await readAll(log, PAYMENTS)).map(eventOfRecord), [events[1]])
    },
  },
]

/** Refused events, and the rest of their call. */
export const refusalCases: readonly LogCase[] = [
  {
    promise: 'An event for a missing topic is refused with TOPIC_NOT_FOUND',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const lost = testEvent('e-1', { topic: 'nowhere.events', key: 'lost' })
      const [answer, other] = await log.append([lost, testEvent('e-2')])
      assert.ok(answer?.status === 'refused' && answer.code === 'TOPIC_NOT_FOUND')
      assert.ok(answer.detail.length > 0, 'a refusal has a detail')
      assert.equal(other?.status, 'stored')
      assert.deepEqual(idsOf(await readAll(log)), ['e-2'])
    },
  },
  {
    promise: 'An event for a missing partition is refused with PARTITION_NOT_FOUND',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const events = [-1, 4, 1_000, 0.5].map((partition) => {
        return testEvent(`e${partition}`, { partition, key: `key${partition}` })
      })
      assert.deepEqual(await appendCodes(log, [...events, testEvent('well')]), [
        ...events.map(() => 'PARTITION_NOT_FOUND'),
        'stored',
      ])
      assert.deepEqual(idsOf(await readAll(log)), ['well'])
    },
  },
  {
    promise: 'After a refused event, later events of its key are refused',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const [key, other] = [keyInPartition(2), keyInPartition(3)]
      await appendStored(log, [testEvent('taken', { key })])
      const events = [
        testEvent('before', { key }),
        testEvent('taken', { key, data: '{"other":1}' }),
        testEvent('after-1', { key }),
        testEvent('aside', { key: other }),
        testEvent('after-2', { key }),
      ]
      assert.deepEqual(await appendCodes(log, events), [
        'stored',
        'ID_CONFLICT',
        'EARLIER_NOT_STORED',
        'stored',
        'EARLIER_NOT_STORED',
      ])
      assert.deepEqual(idsOf(await readAll(log)).toSorted(), ['aside', 'before', 'taken'])
    },
  },
  {
    promise: 'A refused key is not blocked in the next call',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const late = testEvent('late')
      assert.deepEqual(await appendCodes(log, [testEvent('bad', { partition: 99 }), late]), [
        'PARTITION_NOT_FOUND',
        'EARLIER_NOT_STORED',
      ])
      assert.deepEqual(await appendCodes(log, [late]), ['stored'])
    },
  },
  {
    promise: 'Other keys of the partition are stored after a refused key',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const keys = Array.from({ length: 40 }, (_, at) => `key-${at}`)
      const [bad, ...rest] = keys.map((key, at) => testEvent(`e-${at}`, { key }))
      assert.ok(bad)
      const verdicts = await appendCodes(log, [{ ...bad, partition: 99 }, ...rest])
      assert.deepEqual(verdicts, ['PARTITION_NOT_FOUND', ...rest.map(() => 'stored')])
    },
  },
]

const isAtomic = { isAtomic: true } as const

/** Declared capabilities work, and undeclared ones are absent. */
export const capabilityCases: readonly LogCase[] = [
  {
    promise: 'An atomic batch over several topics is stored whole',
    needs: ({ log }) => log?.atomicBatch === true,
    async otherwise({ backend }) {
      const log = await declareTopics(backend)
      const verdicts = await appendCodes(log, testEvents('e', 3), isAtomic).catch(
        (): string[] => [],
      )
      assert.ok(!verdicts.includes('stored'), 'it says that it cannot')
      assert.deepEqual(await readAll(log), [])
    },
    async run({ backend }) {
      const log = await declareTopics(backend)
      const events = [...testEvents('e', 10), ...testEvents('e', 10, { topic: PAYMENTS })]
      const verdicts = await appendCodes(log, events, isAtomic)
      assert.deepEqual([...new Set(verdicts)], ['stored'])
      assert.equal((await readAll(log, ORDERS)).length, 10)
      assert.equal((await readAll(log, PAYMENTS)).length, 10)
    },
  },
  {
    promise: 'An atomic batch with a refusal stores nothing; its other events are BATCH_REFUSED',
    needs: ({ log }) => log?.atomicBatch === true,
    async run({ backend }) {
      const log = await declareTopics(backend)
      const events = [
        testEvent('e-1', { key: 'a' }),
        testEvent('e-2', { key: 'b', topic: PAYMENTS }),
        testEvent('e-3', { key: 'c', topic: 'nowhere.events' }),
        testEvent('e-4', { key: 'd' }),
      ]
      assert.deepEqual(await appendCodes(log, events, isAtomic), [
        'BATCH_REFUSED',
        'BATCH_REFUSED',
        'TOPIC_NOT_FOUND',
        'BATCH_REFUSED',
      ])
      assert.deepEqual(await readAll(log, ORDERS), [])
      assert.deepEqual(await readAll(log, PAYMENTS), [])
      const well = events.filter(({ id }) => id !== 'e-3')
      assert.deepEqual([...new Set(await appendCodes(log, well, isAtomic))], ['stored'])
    },
  },
  {
    promise: 'A duplicate does not refuse an atomic batch',
    needs: ({ log }) => log?.atomicBatch === true,
    async run({ backend }) {
      const log = await declareTopics(backend)
      await appendStored(log, [testEvent('e-1')])
      const events = [testEvent('e-1'), testEvent('e-2')]
      assert.deepEqual(await appendCodes(log, events, isAtomic), ['repeat', 'stored'])
      assert.equal((await readAll(log)).length, 2)
    },
  },
  {
    promise: 'Results name the place of an event',
    needs: ({ log }) => log?.places === true,
    async otherwise({ backend }) {
      const log = await declareTopics(backend)
      const answers = [await log.append(testEvents('e', 5)), await log.append(testEvents('e', 5))]
      for (const answer of answers.flat()) assert.ok(!('place' in answer), 'no place')
    },
    async run({ backend }) {
      const log = await declareTopics(backend)
      const events = testEvents('e', 30)
      const answers = [await log.append(events), await log.append([...events, ...events])]
      const places = new Map((await readAll(log)).map((record) => [record.id, placeOf(record)]))
      for (const [at, answer] of answers.flat().entries()) {
        assert.equal(answer.status, 'stored')
        const { id } = events[at % 30] as LogEvent
        if (answer.status === 'stored') assert.deepEqual(answer.place, places.get(id), id)
      }
    },
  },
  {
    promise: 'Positions grow strictly over all topics, in the order of the calls',
    needs: ({ log }) => log?.positions === true,
    async otherwise({ backend }) {
      const log = await declareTopics(backend)
      await appendStored(log, testEvents('e', 5))
      for (const record of await readAll(log)) assert.ok(!('position' in record), 'no position')
    },
    async run({ backend }) {
      const log = await declareTopics(backend)
      for (let at = 0; at < 6; at += 1)
        await appendStored(
          log,
          testEvents(`call-${at}`, 8, at % 2 === 0 ? {} : { topic: PAYMENTS }),
        )
      const records = [...(await readAll(log, ORDERS)), ...(await readAll(log, PAYMENTS))]
      assert.equal(records.length, 48)
      const latest = new Map<string, number>()
      for (const { topic, partition, position } of records) {
        assert.ok(position !== undefined, 'a position')
        assert.ok(position > (latest.get(`${topic}/${partition}`) ?? -1), 'grows in its partition')
        latest.set(`${topic}/${partition}`, position)
      }
      assert.equal(new Set(records.map(({ position }) => position)).size, 48)
      const byPosition = records.toSorted((a, b) => (a.position ?? 0) - (b.position ?? 0))
      const calls = byPosition.map(({ id }) => Number(id.split('-')[1]))
      assert.deepEqual(
        calls,
        calls.toSorted((a, b) => a - b),
      )
    },
  },
  {
    promise: 'An event is found by its id, in its topic only',
    needs: ({ log }) => log?.findById === true,
    async otherwise({ backend: { log } }) {
      assert.equal(log.find, undefined)
    },
    async run({ backend }) {
      const log = await declareTopics(backend)
      const upper = 'F47AC10B-58CC-4372-A567-0E02B2C3D479'
      await appendStored(log, [...testEvents('e', 20), testEvent(upper)])
      const records = await readAll(log)
      for (const record of records) assert.deepEqual(await log.find?.(ORDERS, record.id), record)
      assert.equal(await log.find?.(PAYMENTS, 'e-1'), undefined)
      assert.equal(await log.find?.(ORDERS, 'e-99'), undefined)
      assert.equal(await log.find?.(ORDERS, upper.toLowerCase()), undefined)
    },
  },
]
