import assert from 'node:assert/strict'
import { CARTS, testAdvance, declareCarts } from './commit-cases.ts'
import type { LogEvent } from '../event-log.ts'
import type { Capabilities } from './prove.ts'
import type { StoreCase } from './fixtures.ts'
import { LONG_WAIT_MS, ORDERS, PAYMENTS, NO_LIMIT, commitDone, eventOfRecord } from './fixtures.ts'
import { testEvent, testEvents, idsByKey, idsOf, keyInPartition, waitBriefly } from './fixtures.ts'
import { placeOf, readAll, recordsOf, testRow, startPositions, appendStored } from './fixtures.ts'
import { testUnit, resultCode } from './fixtures.ts'
import type { StreamEntry } from '../event-store.ts'

const isOneDatabase = ({ store }: Capabilities): boolean => store?.atomicWithLog === true

function entry(key: string, version: number, append: number): StreamEntry {
  return { table: CARTS, key, version, append }
}

/** Appends of units, where log and store are one database. */
export const unitCases: readonly StoreCase[] = [
  {
    promise: 'What a unit appends is in the log when the unit is done',
    needs: isOneDatabase,
    async otherwise({ backend }) {
      const store = await declareCarts(backend)
      const unit = testUnit({ rows: [testRow(CARTS, 'a')], appends: [testEvent('e-1')] })
      await assert.rejects(store.commit(unit), 'it says that it cannot')
      assert.deepEqual(await store.get([{ table: CARTS, key: 'a' }]), [undefined])
      assert.deepEqual(await readAll(backend.log), [])
    },
    async run({ backend }) {
      const store = await declareCarts(backend)
      await appendStored(backend.log, testEvents('before', 5))
      const appends = [
        ...testEvents('e', 20),
        ...testEvents('e', 5, { topic: PAYMENTS, data: null }),
      ]
      await commitDone(store, { appends, progress: [testAdvance(0, 5)] })
      const records = [...(await readAll(backend.log)), ...(await readAll(backend.log, PAYMENTS))]
      const expected = [...testEvents('before', 5), ...appends]
      assert.deepEqual(idsByKey(records.map(eventOfRecord)), idsByKey(expected))
      const byId = new Map(expected.map((event) => [`${event.topic}/${event.id}`, event]))
      for (const record of records)
        assert.deepEqual(eventOfRecord(record), byId.get(`${record.topic}/${record.id}`))
    },
  },
  {
    promise: 'A unit that is done names the place of each of its appends, in their order',
    needs: isOneDatabase,
    async run({ backend }) {
      const store = await declareCarts(backend)
      const appends = testEvents('e', 30)
      const places = await commitDone(store, { appends })
      const byId = new Map((await readAll(backend.log)).map((record) => [record.id, record]))
      assert.equal(places.length, 30)
      for (const [at, { id }] of appends.entries()) {
        const record = byId.get(id)
        assert.ok(record)
        assert.deepEqual(places[at], placeOf(record))
      }
    },
  },
  {
    promise: 'What units append keeps the order of units and of calls to the log',
    needs: isOneDatabase,
    async run({ backend }) {
      const store = await declareCarts(backend)
      const key = keyInPartition(1)
      const sent: LogEvent[] = []
      for (let at = 0; at < 6; at += 1) {
        const events = testEvents(`step-${at}`, 4, { key })
        sent.push(...events)
        if (at % 2 === 0) await commitDone(store, { appends: events })
        else await appendStored(backend.log, events)
      }
      assert.deepEqual(idsOf(await readAll(backend.log)), idsOf(sent))
    },
  },
  {
    promise: 'What a unit appends wakes a read that waits',
    needs: isOneDatabase,
    async run({ backend }) {
      const store = await declareCarts(backend)
      const reading = backend.log.read(startPositions(), NO_LIMIT, { ms: LONG_WAIT_MS })
      await waitBriefly(backend.log)
      await commitDone(store, { appends: [testEvent('e-1')] })
      assert.deepEqual(idsOf(recordsOf(await reading)), ['e-1'])
    },
  },
  {
    promise: 'The log knows the ids of what units appended',
    needs: isOneDatabase,
    async run({ backend }) {
      const store = await declareCarts(backend)
      const event = testEvent('F47AC10B-58CC-4372-A567-0E02B2C3D479')
      await commitDone(store, { appends: [event] })
      const other = { ...event, data: '{"other":1}' }
      const answers = [
        ...(await backend.log.append([event])),
        ...(await backend.log.append([other])),
      ]
      assert.deepEqual(answers.map(resultCode), ['repeat', 'ID_CONFLICT'])
      assert.equal((await readAll(backend.log)).length, 1)
      const found = await backend.log.find?.(ORDERS, event.id)
      if (backend.log.can.findById) assert.deepEqual(found && eventOfRecord(found), event)
    },
  },
  {
    promise:
      'A unit that appends what the log has already, or cannot take, throws and changes nothing',
    needs: isOneDatabase,
    async run({ backend }) {
      const store = await declareCarts(backend)
      await appendStored(backend.log, [testEvent('known')])
      const bad = [
        testEvent('known'),
        testEvent('known', { data: '{"other":1}' }),
        testEvent('e-1', { topic: 'nowhere.events' }),
        testEvent('e-1', { partition: 99 }),
      ]
      for (const event of bad) {
        const unit = testUnit({
          rows: [testRow(CARTS, 'a')],
          progress: [testAdvance(0, 5)],
          appends: [testEvent('well', { key: 'aside' }), event],
          streams: [entry('a', 1, 0)],
        })
        await assert.rejects(store.commit(unit))
        assert.deepEqual(await store.get([{ table: CARTS, key: 'a' }]), [undefined])
        assert.equal((await store.progress(['shop/cart']))[0]?.next ?? 0, 0)
        assert.deepEqual(await store.stream({ table: CARTS, key: 'a' }, 0, 10), [])
        assert.deepEqual(idsOf(await readAll(backend.log)), ['known'])
      }
    },
  },
  {
    promise: 'One unit may append 5,000 events and write 3,000 rows',
    needs: isOneDatabase,
    async run({ backend }) {
      const store = await declareCarts(backend)
      const appends = testEvents('e', 5_000)
      const keys = Array.from({ length: 3_000 }, (_, at) => `row-${String(at).padStart(4, '0')}`)
      const places = await commitDone(store, {
        appends,
        rows: keys.map((key) => testRow(CARTS, key)),
        streams: keys.map((key, at) => entry(key, 1, at)),
      })
      assert.equal(places.length, 5_000)
      const records = await readAll(backend.log, ORDERS, { records: 900, bytes: 1_000_000 })
      assert.deepEqual(idsByKey(records), idsByKey(appends))
      assert.equal((await store.scan({ table: CARTS, limit: 10_000 })).length, 3_000)
      const [last] = await store.stream({ table: CARTS, key: 'row-2999' }, 0, 10)
      assert.equal(last?.id, 'e-2999')
    },
  },
  {
    promise: 'Units and appends at once lose nothing and keep the order of each key',
    needs: isOneDatabase,
    async run({ backend }) {
      const store = await declareCarts(backend)
      const sent: LogEvent[] = []
      const callers = Array.from({ length: 12 }, async (_, caller) => {
        for (let at = 0; at < 8; at += 1) {
          const events = testEvents(`c${caller}-${at}`, 3, { key: `key-${caller}` })
          sent.push(...events)
          if (caller % 2 === 0) await appendStored(backend.log, events)
          else await commitDone(store, { appends: events })
        }
      })
      const seen: string[] = []
      let from = startPositions()
      for (let reads = 0; seen.length < 288; reads += 1) {
        assert.ok(reads < 2_000, `${seen.length} of 288 were seen`)
        const slices = await backend.log.read(from, NO_LIMIT, { ms: 500 })
        seen.push(...idsOf(recordsOf(slices)))
        from = slices.map(({ topic, partition, next }) => ({ topic, partition, next }))
      }
      await Promise.all(callers)
      assert.equal(new Set(seen).size, 288)
      assert.deepEqual(idsByKey(await readAll(backend.log)), idsByKey(sent))
    },
  },
]

/** Streams of entities. */
export const streamCases: readonly StoreCase[] = [
  {
    promise: 'A stream gives the events of one entity, as the log has them, in version order',
    needs: isOneDatabase,
    async run({ backend }) {
      const store = await declareCarts(backend)
      for (let at = 0; at < 4; at += 1)
        await commitDone(store, {
          appends: testEvents(`u${at}`, 6),
          streams: [0, 1, 2, 3, 4, 5].map((append) =>
            entry(append % 2 === 0 ? 'a' : 'b', at * 3 + Math.floor(append / 2) + 1, append),
          ),
        })
      const records = new Map((await readAll(backend.log)).map((record) => [record.id, record]))
      const expected = (rank: number): readonly unknown[] =>
        [0, 1, 2, 3].flatMap((at) =>
          [0, 2, 4].map((append) => records.get(`u${at}-${append + rank}`)),
        )
      const streamOf = (key: string): Promise<readonly unknown[]> =>
        store.stream({ table: CARTS, key }, 0, 100)
      assert.deepEqual(await streamOf('a'), expected(0))
      assert.deepEqual(await streamOf('b'), expected(1))
      assert.deepEqual(await streamOf('c'), [])
    },
  },
  {
    promise: 'A stream begins at the version asked for and ends at the limit',
    needs: isOneDatabase,
    async run({ backend }) {
      const store = await declareCarts(backend)
      const appends = testEvents('e', 20)
      await commitDone(store, { appends, streams: appends.map((_, at) => entry('a', at + 1, at)) })
      const ids = async (fromVersion: number, limit: number): Promise<readonly string[]> =>
        idsOf(await store.stream({ table: CARTS, key: 'a' }, fromVersion, limit))
      assert.deepEqual(await ids(1, 3), ['e-0', 'e-1', 'e-2'])
      assert.deepEqual(await ids(4, 2), ['e-3', 'e-4'])
      assert.deepEqual(await ids(19, 10), ['e-18', 'e-19'])
      assert.deepEqual(await ids(21, 10), [])
    },
  },
  {
    promise: 'Version order is what counts, not the order of the appends',
    needs: isOneDatabase,
    async run({ backend }) {
      const store = await declareCarts(backend)
      const appends = [3, 0, 2, 1].map((partition) => {
        return testEvent(`in-${partition}`, { key: keyInPartition(partition) })
      })
      const versions = [12, 3, 10, 2]
      const streams = versions.map((version, append) => entry('a', version, append))
      await commitDone(store, { appends, streams })
      const records = await store.stream({ table: CARTS, key: 'a' }, 0, 10)
      assert.deepEqual(idsOf(records), ['in-1', 'in-0', 'in-2', 'in-3'])
    },
  },
  {
    promise: 'One event may stand in the streams of several entities',
    needs: isOneDatabase,
    async run({ backend }) {
      const store = await declareCarts(backend)
      const streams = [entry('a', 1, 0), entry('b', 5, 0), entry('b', 6, 1)]
      await commitDone(store, { appends: testEvents('e', 2), streams })
      assert.deepEqual(idsOf(await store.stream({ table: CARTS, key: 'a' }, 0, 10)), ['e-0'])
      assert.deepEqual(idsOf(await store.stream({ table: CARTS, key: 'b' }, 0, 10)), ['e-0', 'e-1'])
    },
  },
  {
    promise: 'Streams of keys that look alike, and of several tables, are kept apart',
    needs: isOneDatabase,
    async run({ backend }) {
      const store = await declareCarts(backend)
      await store.declare([{ name: 'shop.cart', indexes: [] }])
      const rows = [
        { table: CARTS, key: 'a' },
        { table: CARTS, key: 'A' },
        { table: CARTS, key: 'a ' },
        { table: CARTS, key: "a'" },
        { table: 'shop.cart', key: 'sa' },
        { table: 'shop.cart', key: 'a' },
      ]
      const appends = testEvents('e', rows.length)
      const streams = rows.map((row, append) => ({ ...row, version: 1, append }))
      await commitDone(store, { appends, streams })
      for (const [at, row] of rows.entries())
        assert.deepEqual(idsOf(await store.stream(row, 0, 10)), [`e-${at}`])
    },
  },
]
