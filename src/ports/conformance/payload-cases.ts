import assert from 'node:assert/strict'
import type { EventStore } from '../event-store.ts'
import { WIRE_RECORD_TYPES } from '../ledger.ts'
import type { PayloadQuery, PayloadRow } from '../payloads.ts'
import { PAYLOAD_COLUMNS, WIRE_TOPIC_SUFFIX } from '../payloads.ts'
import type { LogEvent } from '../event-log.ts'
import type { Backend } from '../event-store.ts'
import { ORDERS, appendStored, testTopic } from './fixtures.ts'
import type { StoreCase } from './fixtures.ts'
import { AT, AT_TEXT, appendTen, declareLedgerOf, message } from './ledger-fixtures.ts'

const WIRE = `bank${WIRE_TOPIC_SUFFIX}`
const BODY = '{"event_id": "a3"}'

function wireRecord(id: string, direction: 'received' | 'sent', eventId: string): LogEvent {
  const [source, target] = direction === 'sent' ? ['SHOP', 'BANK'] : ['BANK', 'SHOP']
  const data = JSON.stringify({ eventId, topic: 'BANK_TOPIC', source, target, body: BODY })
  return message(id, {
    topic: WIRE,
    type: WIRE_RECORD_TYPES[direction],
    key: eventId,
    data,
    at: AT,
  })
}

/** The ten messages of the ledger, and three bodies on the wire. */
async function fill(backend: Backend): Promise<EventStore> {
  const store = await declareLedgerOf(backend)
  await backend.log.declare([testTopic(WIRE, 1)])
  await appendTen(backend)
  await appendStored(backend.log, [
    wireRecord('w-0', 'received', 'a3'),
    wireRecord('w-1', 'sent', 'a3'),
    wireRecord('w-2', 'received', 'm-1'),
  ])
  return store
}

/** Reads all pages; checks that none is longer than asked for, and that they end. */
async function readPayloads(
  store: EventStore,
  query: Omit<PayloadQuery, 'limit'> = {},
  limit = 100,
): Promise<readonly PayloadRow[]> {
  assert.ok(store.payloads, 'the method is there')
  const rows: PayloadRow[] = []
  let after = query.after
  for (let pages = 0; pages < 1_000; pages += 1) {
    const page = await store.payloads({ ...query, ...(after ? { after } : {}), limit })
    assert.ok(page.rows.length <= limit, 'a page ends at the limit')
    rows.push(...page.rows)
    after = page.next
    if (!after) return rows
  }
  throw new assert.AssertionError({ message: 'pages come to an end' })
}

const nameOf = ({ EVENT_ID, TOPIC, TARGET_SERVICE }: PayloadRow): string =>
  `${EVENT_ID} ${TOPIC} ${TARGET_SERVICE}`

const payloadCase = (promise: string, run: StoreCase['run']): StoreCase => ({
  promise,
  needs: ({ store }) => store?.ledger === true,
  otherwise: async ({ backend }) => assert.equal(backend.store.payloads, undefined),
  run,
})

export const payloadCases: readonly StoreCase[] = [
  payloadCase(
    'A body has a row for each service that reads it, the newest first',
    async ({ backend }) => {
      const store = await fill(backend)
      const rows = (await readPayloads(store)).map(nameOf)
      for (const limit of [1, 2, 5])
        assert.deepEqual((await readPayloads(store, {}, limit)).map(nameOf), rows)
      assert.deepEqual(rows.slice(0, 6), [
        'm-1 BANK_TOPIC SHOP',
        'a3 BANK_TOPIC BANK',
        'a3 BANK_TOPIC SHOP',
        'm-9 payments.events books',
        'm-9 payments.events shop',
        'm-8 orders.events shop',
      ])
      assert.ok(rows.includes(`m-4 ${ORDERS} null`), 'no service reads it')
    },
  ),
  payloadCase('A body has the columns of the view, as it was sent', async ({ backend }) => {
    const store = await fill(backend)
    const [received, sent] = await readPayloads(store, { eventId: 'a3' })
    const ofWire = { EVENT_ID: 'a3', TOPIC: 'BANK_TOPIC', PAYLOAD: BODY, CREATED_BY: 'SHOP' }
    const time = { CREATED_DTTM: AT_TEXT }
    assert.deepEqual(sent, { ...ofWire, SOURCE_SERVICE: 'BANK', TARGET_SERVICE: 'SHOP', ...time })
    assert.deepEqual(received, {
      ...ofWire,
      SOURCE_SERVICE: 'SHOP',
      TARGET_SERVICE: 'BANK',
      ...time,
    })
    assert.deepEqual(Object.keys(sent ?? {}).toSorted(), PAYLOAD_COLUMNS.toSorted())
    const [inside] = await readPayloads(store, { eventId: 'm-2' })
    assert.deepEqual([inside?.SOURCE_SERVICE, inside?.CREATED_BY], ['shop', 'shop'])
    const [tombstone] = await readPayloads(store, { eventId: 'm-8' })
    assert.equal(tombstone?.PAYLOAD, null)
  }),
  payloadCase('Bodies are found by id, topic and service', async ({ backend }) => {
    const store = await fill(backend)
    const all = await readPayloads(store)
    const check = async (
      query: Omit<PayloadQuery, 'limit'>,
      isWanted: (row: PayloadRow) => boolean,
    ): Promise<void> => {
      for (const limit of [1, 3, 100])
        assert.deepEqual(await readPayloads(store, query, limit), all.filter(isWanted))
    }
    for (const eventId of ['m-1', 'a3', 'none'])
      await check({ eventId }, (row) => row.EVENT_ID === eventId)
    for (const topic of [ORDERS, 'BANK_TOPIC', WIRE, 'none'])
      await check({ topic }, (row) => row.TOPIC === topic)
    for (const service of ['shop', 'books', 'SHOP', 'none'])
      await check({ service }, (row) => [row.SOURCE_SERVICE, row.TARGET_SERVICE].includes(service))
    await check(
      { eventId: 'm-1', topic: ORDERS, service: 'shop' },
      (row) => row.EVENT_ID === 'm-1' && row.TOPIC === ORDERS,
    )
    assert.deepEqual((await readPayloads(store, { eventId: 'm-1' })).map(nameOf), [
      'm-1 BANK_TOPIC SHOP',
      `m-1 ${ORDERS} shop`,
    ])
  }),
]
