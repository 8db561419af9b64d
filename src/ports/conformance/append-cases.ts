import assert from 'node:assert/strict'
import type { LogEvent } from '../event-log.ts'
import type { LogCase } from './fixtures.ts'
import {
  ORDERS,
  PAYMENTS,
  declareTopics,
  eventOfRecord,
  testEvent,
  testEvents,
} from './fixtures.ts'
import { idsByKey, idsOf, keyInPartition, assertStored, placeOf } from './fixtures.ts'
import { readAll, appendStored, testTopic, resultCode } from './fixtures.ts'

/** Stored events: their order and their places. */
export const appendCases: readonly LogCase[] = [
  {
    promise: 'An append returns one result per event, in the order of the events',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const events = testEvents('e', 40).map((event, at) =>
        at % 10 === 7 ? { ...event, key: `wrong-${at}`, partition: 99 } : event,
      )
      const answers = await log.append(events)
      assert.equal(answers.length, events.length)
      const places = new Map((await readAll(log)).map((record) => [record.id, placeOf(record)]))
      for (const [at, answer] of answers.entries()) {
        const { id } = events[at] as LogEvent
        assert.equal(resultCode(answer), at % 10 === 7 ? 'PARTITION_NOT_FOUND' : 'stored', id)
        if (answer.status === 'stored' && answer.place)
          assert.deepEqual(answer.place, places.get(id))
        assert.equal(places.has(id), answer.status === 'stored', id)
      }
    },
  },
  {
    promise: 'An append of no events returns no results',
    async run({ backend }) {
      const log = await declareTopics(backend)
      assert.deepEqual(await log.append([]), [])
    },
  },
  {
    promise: 'Every event reported as stored is in the log, once and in its partition',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const events = testEvents('e', 100)
      await appendStored(log, events)
      const records = await readAll(log)
      const byId = (a: LogEvent, b: LogEvent): number => (a.id < b.id ? -1 : 1)
      assert.deepEqual(records.map(eventOfRecord).sort(byId), events.toSorted(byId))
    },
  },
  {
    promise: 'Events of one partition are stored in the order given',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const key = keyInPartition(2)
      const events = testEvents('e', 50, { key })
      await appendStored(log, events)
      assert.deepEqual(idsOf(await readAll(log)), idsOf(events))
    },
  },
  {
    promise: 'Calls that start one after another are stored in that order',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const calls = Array.from({ length: 60 }, (_, at) => testEvents(`call-${at}`, 1 + (at % 3)))
      const answers = await Promise.all(calls.map((events) => log.append(events)))
      assertStored(answers.flat())
      const order = (events: readonly LogEvent[], partition: number): readonly string[] =>
        idsOf(events.filter((event) => event.partition === partition))
      const records = await readAll(log)
      for (const partition of [0, 1, 2, 3])
        assert.deepEqual(order(records, partition), order(calls.flat(), partition))
    },
  },
  {
    promise: 'Many callers at once each keep the order of their keys',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const sent: LogEvent[] = []
      const caller = async (name: string): Promise<void> => {
        for (let at = 0; at < 10; at += 1) {
          const events = [0, 1].map((rank) => testEvent(`${name}-${at}-${rank}`, { key: name }))
          sent.push(...events)
          await appendStored(log, events)
        }
      }
      await Promise.all(Array.from({ length: 20 }, (_, at) => caller(`caller-${at}`)))
      assert.deepEqual(idsByKey(await readAll(log)), idsByKey(sent))
    },
  },
  {
    promise: 'Offsets grow strictly from call to call, and no place is given twice',
    async run({ backend }) {
      const log = await declareTopics(backend)
      for (let at = 0; at < 5; at += 1) await appendStored(log, testEvents(`call-${at}`, 20))
      const places = (await readAll(log)).map(({ partition, offset }) => `${partition}/${offset}`)
      assert.equal(places.length, 100)
      assert.equal(new Set(places).size, 100)
    },
  },
  {
    promise: '5,000 events over 8 partitions in one call are stored in order',
    async run({ backend: { log } }) {
      await log.declare([testTopic('wide.events', 8)])
      const keys = Array.from({ length: 8 }, (_, partition) => keyInPartition(partition, 8))
      const events = Array.from({ length: 5_000 }, (_, at) => {
        const partition = (at * 5) % 8
        const key = keys[partition] as string
        return testEvent(`e-${at}`, { topic: 'wide.events', key, partition })
      })
      await appendStored(log, events)
      const records = await readAll(log, 'wide.events', { records: 700, bytes: 1_000_000 })
      assert.equal(records.length, 5_000)
      assert.deepEqual(idsByKey(records), idsByKey(events))
    },
  },
  {
    promise: 'One call may append to several topics',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const events = testEvents('e', 30).map((event, at) =>
        at % 2 === 0 ? event : { ...event, topic: PAYMENTS },
      )
      await appendStored(log, events)
      const records = [...(await readAll(log, ORDERS)), ...(await readAll(log, PAYMENTS))]
      assert.deepEqual(idsByKey(records), idsByKey(events))
    },
  },
]

const ODD_TEXTS: readonly string[] = [
  '',
  ' ',
  "it's",
  '"',
  "';--",
  '\\',
  '%s $1 ? :a {a,b}',
  'line\nline\r\n\ttab',
  '\u0001\u001e\u001f\u007f',
  'é ß 東京 עברית',
  'e\u0301 and \u00e9',
  '😀👩‍👩‍👧',
  '\uffee \u{1f600}',
  '../..//',
]

/** Texts read back exactly as they were appended. */
export const roundTripCases: readonly LogCase[] = [
  {
    promise: 'Keys of any text come back exactly as given',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const keys = [...ODD_TEXTS.filter(Boolean), 'k'.repeat(256), '😀'.repeat(128), 'K', 'k']
      const events = keys.map((key, at) => testEvent(`e-${at}`, { key }))
      await appendStored(log, events)
      assert.deepEqual(idsByKey((await readAll(log)).map(eventOfRecord)), idsByKey(events))
    },
  },
  {
    promise: 'Head and data come back as the same text, spaces and number forms included',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const texts = [
        ...ODD_TEXTS.map((text) => JSON.stringify({ text })),
        ...ODD_TEXTS.map((text) => JSON.stringify(text)),
        '{ "b" : 1.0 , "a": 1e2, "a": -0 }',
        '[1,  2,\n3]',
        '12345678901234567890.123456789',
        JSON.stringify('x'.repeat(100_000)),
      ]
      const key = keyInPartition(1)
      const events = texts.map((text, at) => testEvent(`e-${at}`, { key, head: text, data: text }))
      await appendStored(log, events)
      assert.deepEqual((await readAll(log)).map(eventOfRecord), events)
    },
  },
  {
    promise: 'Types and times come back exactly as given',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const times = [0, 1, 1_700_000_000_123, 253_402_300_799_999]
      const events = times.map((at, rank) => {
        return testEvent(`e-${rank}`, { at, type: `orders.Type-${['', "'", 'é', '😀'][rank]}` })
      })
      await appendStored(log, events)
      assert.deepEqual((await readAll(log)).map(eventOfRecord), events)
    },
  },
  {
    promise: 'An id may be any text and comes back exactly as given',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const key = keyInPartition(0)
      const events = [
        ...ODD_TEXTS.filter(Boolean),
        'i'.repeat(256),
        '42',
        '042',
        '0190a6e2-7b1c-7def-8abc-0123456789ab',
        'F47AC10B-58CC-4372-A567-0E02B2C3D479',
        'f47ac10b58cc4372a5670e02b2c3d470',
        '{f47ac10b-58cc-4372-a567-0e02b2c3d471}',
        '00000000-0000-0000-0000-000000000000',
      ].map((id) => testEvent(id, { key }))
      await appendStored(log, events)
      assert.deepEqual(idsOf(await readAll(log)), idsOf(events))
      const again = await log.append(events)
      assert.deepEqual(
        again.map(resultCode),
        events.map(() => 'repeat'),
      )
    },
  },
  {
    promise: 'Ids that differ only in their letters are two ids',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const key = keyInPartition(0)
      const ids = [
        'f47ac10b-58cc-4372-a567-0e02b2c3d479',
        'F47AC10B-58CC-4372-A567-0E02B2C3D479',
        'f47ac10b58cc4372a5670e02b2c3d479',
        'order-1',
        'Order-1',
        'order-1 ',
        '\u00e9',
        'e\u0301',
      ]
      const events = ids.map((id) => testEvent(id, { key }))
      const answers = await log.append(events)
      assert.deepEqual(
        answers.map(resultCode),
        ids.map(() => 'stored'),
      )
      assert.deepEqual(idsOf(await readAll(log)), ids)
    },
  },
  {
    promise: 'A tombstone has no data, which is not the text "null"',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const texts = [null, 'null', '""', '{}', null]
      await appendStored(
        log,
        texts.map((data, at) => testEvent(`e-${at}`, { data })),
      )
      assert.deepEqual(
        (await readAll(log)).map(({ data }) => data),
        texts,
      )
    },
  },
]
