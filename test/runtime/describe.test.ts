// What runs, as data that anybody can print.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AppDescription } from 'throughline'
import {
  command,
  contract,
  entity,
  event,
  handler,
  projection,
  query,
  queryHandler,
} from 'throughline'
import { saga, service, start, tool } from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'

const Id = z.object({ id: z.string() })
const Ordering = contract(
  'ordering',
  { key: 'id', partitions: 3 },
  {
    Place: command(Id, { refuses: ['closed', 'late'], refusal: { wire: 'PLACE_ERROR' } }),
    Placed: event(Id, { wire: 'ORDER_PLACED', aliases: ['order.placed'] }),
    Forgotten: event(Id),
    Find: query(Id, { answers: Id }),
  },
)
const Payments = contract('payments', { key: 'id' }, { Pay: command(Id), Paid: event(Id) })
const order = entity(
  'order',
  { of: Ordering, id: 'id', initial: 0, emits: [Ordering.Placed] },
  {
    decide: (on) => [on(Ordering.Place, (data) => Ordering.Placed(data))],
    evolve: (on) => [on(Ordering.Placed, () => 1)],
  },
)
const orders = projection('orders', { by: 'id', row: tool<object>() }, (on) => [
  on(Ordering.Placed, (data) => data),
  on(Ordering.Place.refused, () => undefined),
])
const paying = saga('paying', { by: 'id', initial: 0, sends: [Payments.Pay] }, (on) => [
  on(Ordering.Placed, () => []),
  on(Payments.Paid, () => []),
  on.refused(Payments.Pay, () => []),
])
const mail = handler('mail', { emits: [Ordering.Forgotten] }, (on) => [
  on(Ordering.Placed, () => undefined),
])
const find = queryHandler('find', { of: Ordering, reads: [orders] }, (on) => [
  on(Ordering.Find, (asked) => asked),
])
const shop = service('shop', { owns: [Ordering], runs: [order, orders, paying, mail, find] })

async function described(): Promise<AppDescription> {
  await using app = await start([shop], memory(), { remote: [Payments] })
  return app.describe()
}

test('a description has services with owned contracts, rules and handled messages', async () => {
  const { services } = await described()
  const hears = ['ORDER_PLACED']
  assert.deepEqual(services, [
    {
      name: 'shop',
      owns: ['ordering'],
      runs: [
        { name: 'order', kind: 'entity', handles: ['ordering.Place'], sends: [], emits: hears },
        {
          name: 'orders',
          kind: 'projection',
          handles: ['ORDER_PLACED', 'PLACE_ERROR'],
          sends: [],
          emits: [],
        },
        {
          name: 'paying',
          kind: 'saga',
          handles: ['ORDER_PLACED', 'payments.Paid', 'payments.Pay'],
          sends: ['payments.Pay'],
          emits: [],
        },
        { name: 'mail', kind: 'handler', handles: hears, sends: [], emits: ['ordering.Forgotten'] },
        { name: 'find', kind: 'query', handles: ['ordering.Find'], sends: [], emits: [] },
      ],
      edges: [],
    },
  ])
})

test('a description has contracts and topics with their owners', async () => {
  const { contracts, topics } = await described()
  assert.deepEqual(topics, [
    { name: 'ordering.commands', partitions: 3 },
    { name: 'ordering.events', partitions: 3 },
    { name: 'payments.commands', partitions: 8 },
    { name: 'payments.events', partitions: 8 },
    { name: 'shop.replies', partitions: 8 },
  ])
  assert.deepEqual(
    contracts.map((each) => ({ ...each, messages: each.messages.length })),
    [
      {
        name: 'ordering',
        key: 'id',
        partitions: 3,
        owner: 'shop',
        commandsTopic: 'ordering.commands',
        eventsTopic: 'ordering.events',
        messages: 5,
      },
      {
        name: 'payments',
        key: 'id',
        partitions: 8,
        owner: undefined,
        commandsTopic: 'payments.commands',
        eventsTopic: 'payments.events',
        messages: 3,
      },
    ],
  )
  const [ordering] = contracts
  const placed = ordering?.messages.find(({ name }) => name === 'Placed')
  assert.deepEqual(placed, {
    name: 'Placed',
    kind: 'event',
    wire: 'ORDER_PLACED',
    aliases: ['order.placed'],
    refuses: [],
  })
  assert.deepEqual(
    ordering?.messages.map(({ name, kind, refuses }) => `${kind} ${name} ${refuses.join()}`),
    [
      'command Place closed,late',
      'refusal PlaceRefused ',
      'event Placed ',
      'event Forgotten ',
      'query Find ',
    ],
  )
})

test('the consumers of a status are the rules of the description that consume', async () => {
  await using app = await start([shop], memory(), { remote: [Payments] })
  const consumers = (await app.status()).map(({ consumer }) => consumer)
  const rules = app
    .describe()
    .services.flatMap(({ name, runs }) =>
      runs.filter(({ kind }) => kind !== 'query').map((rule) => `${name}/${rule.name}`),
    )
  assert.deepEqual(consumers.toSorted(), rules.toSorted())
})

test('a description is plain JSON and deterministic', async () => {
  const description = await described()
  const copied = JSON.parse(JSON.stringify(description)) as AppDescription
  // An owner that runs elsewhere is not known, and JSON leaves it out.
  const known = structuredClone(description)
  assert.equal(JSON.stringify(copied), JSON.stringify(known))
  assert.deepEqual(await described(), description)
})
