// Edges of a running app: what start checks, what is recorded, and what happens when a broker fails.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Fault } from 'throughline'
import { command, contract, entity, event, projection, service, start, tool } from 'throughline'
import type { InProcessBroker, RejectedRecord, Transport, WireRecord } from 'throughline/edges'
import { edge, inProcess } from 'throughline/edges'
import { memory } from 'throughline/testing'
import { z } from 'zod'

const Id = z.object({ id: z.string() })
const Orders = contract(
  'orders',
  { key: 'id' },
  { Place: command(Id), Placed: event(Id), Imported: event(Id) },
)
const Other = contract('other', { key: 'id' }, { Noted: event(Id) })
const order = entity(
  'order',
  { of: Orders, id: 'id', initial: 0, emits: [Orders.Placed] },
  {
    decide: (on) => [on(Orders.Place, (data) => Orders.Placed(data))],
    evolve: (on) => [on(Orders.Placed, () => 1)],
  },
)
const names = { system: 'PARTNER', service: 'ORDERS' }
const from = (topic: string) => ({ topic, body: Id, id: (body: { id: string }) => body.id })
const partner = edge('partner', names, {
  receives: (on) => [
    on(Orders.Place, from('PLACE'), (body) => body),
    on(Orders.Imported, from('IMPORT'), (body) => body),
  ],
  sends: (on) => [on(Orders.Placed, { topic: 'PLACED', id: ({ id }) => id }, ({ id }) => [id])],
})
const records = projection('records', { by: 'recordId', row: tool<WireRecord>() }, (on) => [
  on(partner.wire.Received, (record) => record),
  on(partner.wire.Sent, (record) => record),
])
const shop = service('shop', { owns: [Orders], runs: [order, records], edges: [partner] })

/** Resolves with the first messages of a topic. */
function firstOf(broker: InProcessBroker, topic: string, count: number): Promise<string[]> {
  const texts: string[] = []
  return new Promise((resolve) => {
    broker.subscribe(topic, ({ text }) => {
      texts.push(text)
      if (texts.length === count) resolve(texts)
    })
  })
}

async function issuesOf(services: readonly unknown[], tools: object): Promise<readonly string[]> {
  const fault = await start(services as never, memory(), { tools } as never).then(
    async (app) => {
      await app.stop()
      return assert.fail('it has started')
    },
    (cause: Fault) => cause,
  )
  assert.equal(fault.code, 'START_REFUSED')
  return fault.issues.map(({ path, message }) => `${path}: ${message}`)
}

suite('start refuses', () => {
  test('an edge whose transport is missing, or is none', async () => {
    assert.deepEqual(await issuesOf([shop], {}), [
      'shop/partner: needs the tool transport: pass it to start in tools: { transport }',
    ])
    const deaf = edge('deaf', names, { receives: (on) => [on(Orders.Place, from('A'), (b) => b)] })
    const listening = service('shop', { owns: [Orders], runs: [order], edges: [deaf] })
    assert.deepEqual(await issuesOf([listening], {}), [
      'shop/deaf: needs the tool transport: pass it to start in tools: { transport }',
    ])
    assert.deepEqual(await issuesOf([listening], { transport: { open: () => undefined } }), [
      'shop/deaf: its tool transport is no transport: it has no method close',
    ])
  })

  test('messages that are not those of the service, or that a rule publishes', async () => {
    const wrong = edge('wrong', names, {
      receives: (on) => [
        on(Other.Noted, from('A'), (body) => body),
        on(Orders.Placed, from('B'), (body) => body),
        on(Orders.Place.refused as never, from('C'), (body) => body as never),
      ],
    })
    const services = [
      service('shop', { owns: [Orders], runs: [order], edges: [wrong] }),
      service('other', { owns: [Other], runs: [] }),
    ]
    assert.deepEqual(await issuesOf(services, { transport: inProcess() }), [
      'shop/wrong: receives A as other.Noted, which shop does not own: receive it as a message of its own contract',
      'shop/wrong: receives B as orders.Placed, which entity order publishes: use a command',
      'shop/wrong: receives C as orders.PlaceRefused, which is no command or event',
    ])
  })

  test('a value that is no edge, and two edges with one name', async () => {
    const none = service('shop', { owns: [Orders], runs: [order], edges: [{}] as never })
    assert.deepEqual(await issuesOf([none], {}), [
      'shop: its edges contain a value that edge() has not made',
    ])
    const again = edge('partner', names, {
      receives: (on) => [on(Other.Noted, from('A'), (body) => body)],
    })
    const other = service('other', { owns: [Other], runs: [], edges: [again] })
    const issues = await issuesOf([shop, other], { transport: inProcess() })
    assert.match(issues.join(), /another contract is named partner-wire/)
  })
})

suite('an edge of a running app', () => {
  test('takes commands and events in, publishes events, and records all bodies', async () => {
    const broker = inProcess()
    await using app = await start([shop], memory(), { tools: { transport: broker } })
    const placed = firstOf(broker, 'PLACED', 1)
    await broker.publish('PLACE', '{"id": "o-1"}')
    await broker.publish('IMPORT', '{"id": "o-2"}')
    assert.deepEqual(await placed, ['["o-1"]'])
    await Promise.all([broker.whenAcked('PLACE'), broker.whenAcked('IMPORT')])
    assert.deepEqual(await app.operation(Orders.Place, 'o-1').settled(), { status: 'completed' })
    await app.settled()
    const counts = { received: 2, accepted: 2, repeated: 0, rejected: 0 }
    assert.deepEqual(await app.edges(), [
      { edge: 'partner', service: 'shop', system: 'PARTNER', ...counts },
    ])
    const [message] = broker.messages('PLACED')
    assert.equal(message?.key, 'o-1')
    const { 'message-id': recordId = '', 'correlation-id': correlationId } = message.headers ?? {}
    assert.match(recordId, /^out:[0-9a-f]{32}$/)
    assert.equal(correlationId, 'o-1')
    // A second publication of the event would have the same id, so nothing was published twice.
    assert.equal(broker.messages('PLACED').length, 1)
  })

  test('records each body once, as it was', async () => {
    const broker = inProcess()
    /** By id: a unit may conflict, and run its rules again. */
    const records = new Map<string, WireRecord>()
    const rejected: RejectedRecord[] = []
    const listing = projection('listing', { by: 'recordId', row: tool<object>() }, (on) => [
      on(partner.wire.Received, (record) => (records.set(record.recordId, record), record)),
      on(partner.wire.Sent, (record) => (records.set(record.recordId, record), record)),
      on(partner.wire.Rejected, (record) => (rejected.push(record), record)),
    ])
    const listed = service('shop', { owns: [Orders], runs: [order, listing], edges: [partner] })
    const hooks: string[] = []
    await using app = await start([listed], memory(), {
      tools: { transport: broker },
      onEdgeRejected: (name, { code }) => void hooks.push(`${name} ${code}`),
    })
    for (const text of ['{"id":"o-1"}', '{"id":"o-1"}', '{"id":1}', 'no JSON'])
      await broker.publish('PLACE', text)
    await broker.whenAcked('PLACE')
    await app.settled()
    const found = [...records.values()]
    // The topic of the record has several partitions, so only each body has its place.
    assert.deepEqual(
      found.map(({ direction, topic, body }) => [direction, topic, body].join(' ')).toSorted(),
      ['in PLACE no JSON', 'in PLACE {"id":"o-1"}', 'in PLACE {"id":1}', 'out PLACED ["o-1"]'],
    )
    assert.deepEqual(
      rejected.map(({ code, recordId }) => [
        code,
        found.some((each) => each.recordId === recordId),
      ]),
      [
        ['BODY_INVALID', true],
        ['BODY_INVALID', true],
      ],
    )
    assert.deepEqual(hooks, ['partner BODY_INVALID', 'partner BODY_INVALID'])
    const [status] = await app.edges()
    assert.equal(status?.repeated, 1)
  })

  test('refuses other content under a known id, and goes on', async () => {
    const Notes = contract(
      'notes',
      { key: 'id' },
      { Noted: event(z.object({ id: z.string(), text: z.string() })) },
    )
    const Body = z.object({ id: z.string(), text: z.string() })
    const reader = edge('reader', names, {
      receives: (on) => [
        on(Notes.Noted, { topic: 'IN', body: Body, id: ({ id }) => id }, (body) => body),
      ],
    })
    const noting = service('noting', { owns: [Notes], runs: [], edges: [reader] })
    const broker = inProcess()
    const codes: string[] = []
    await using app = await start([noting], memory(), {
      tools: { transport: broker },
      onEdgeRejected: (_, { code, eventId }) => void codes.push(`${eventId} ${code}`),
    })
    for (const [id, text] of [
      ['n-1', 'a'],
      ['n-1', 'b'],
      ['n-2', 'a'],
    ] as const)
      await broker.publish('IN', JSON.stringify({ id, text }))
    await broker.whenAcked('IN')
    assert.deepEqual(codes, ['n-1 ID_CONFLICT'])
    assert.equal((await app.edges())[0]?.accepted, 2)
  })

  test('is failing while its broker is, and goes on when the broker does', async () => {
    const broker = inProcess()
    let isDown = true
    const { promise: reported, resolve: report } = Promise.withResolvers<string>()
    const transport: Transport = {
      ...broker,
      async open() {
        if (isDown) throw new Error('the broker is down')
      },
    }
    await using app = await start([shop], memory(), {
      tools: { transport },
      onBackendError: (group) => report(group),
    })
    assert.equal(await reported, 'edge partner')
    const { status, detail } = await app.health()
    assert.equal(status, 'failing')
    assert.match(detail, /edge partner: the broker is down/)
    isDown = false
    await broker.publish('PLACE', '{"id":"o-1"}')
    await broker.whenAcked('PLACE')
    await app.settled()
    assert.equal((await app.health()).status, 'well')
  })

  test('connects again after it has lost its broker', async () => {
    const broker = inProcess()
    const calls: string[] = []
    const transport: Transport = {
      ...broker,
      async open() {
        calls.push('open')
      },
      async receive(request) {
        calls.push('receive')
        if (calls.length === 2) throw new Error('the connection is lost')
        return broker.receive(request)
      },
    }
    await using app = await start([shop], memory(), {
      tools: { transport },
      onBackendError: () => undefined,
    })
    await broker.publish('PLACE', '{"id":"o-1"}')
    await broker.whenAcked('PLACE')
    assert.deepEqual(calls.slice(0, 4), ['open', 'receive', 'open', 'receive'])
    assert.equal((await app.edges())[0]?.accepted, 1)
  })

  test('publishes again with the same id until the broker has taken the message', async () => {
    const broker = inProcess()
    const ids: (string | undefined)[] = []
    const transport: Transport = {
      ...broker,
      async publish(topic, message) {
        ids.push(message.headers?.['message-id'])
        if (ids.length < 3) throw new Error('the broker is down')
        await broker.publish(topic, message)
      },
    }
    const faults: string[] = []
    await using app = await start([shop], memory(), {
      tools: { transport },
      engine: { retryDelayMs: 1 },
      onRuleError: ({ consumer }) => void faults.push(consumer),
    })
    await app.send(Orders.Place({ id: 'o-1' }))
    await app.settled()
    assert.deepEqual(faults, ['shop/partner', 'shop/partner'])
    assert.deepEqual(new Set(ids).size, 1)
    assert.equal(broker.messages('PLACED').length, 1)
  })

  test('gives its broker back, and receives nothing more, once the app has stopped', async () => {
    const broker = inProcess()
    const calls: string[] = []
    const transport: Transport = {
      ...broker,
      async close() {
        calls.push('close')
      },
    }
    const app = await start([shop], memory(), { tools: { transport } })
    await Promise.all([app.stop(), app.stop()])
    await broker.publish('PLACE', '{"id":"o-1"}')
    assert.equal(calls[0], 'close')
    assert.equal(broker.messages('PLACED').length, 0)
  })

  test('is part of the description', async () => {
    await using app = await start([shop], memory(), { tools: { transport: inProcess() } })
    const [described] = app.describe().services
    assert.deepEqual(described?.edges, [
      {
        name: 'partner',
        system: 'PARTNER',
        receives: [
          { topic: 'PLACE', becomes: 'orders.Place' },
          { topic: 'IMPORT', becomes: 'orders.Imported' },
        ],
        sends: [{ topic: 'PLACED', message: 'orders.Placed' }],
      },
    ])
    assert.deepEqual(described.owns, ['orders', 'partner-wire'])
  })
})
