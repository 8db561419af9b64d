// Each misuse below is a type error; a directive that is not needed is itself an error.
import { z } from 'zod'
import {
  after,
  become,
  command,
  contract,
  entity,
  event,
  finish,
  handler,
  projection,
  queryHandler,
  refuse,
  saga,
  send,
  service,
  start,
  tool,
} from 'throughline'
import { edge, inProcess } from 'throughline/edges'
import { memory } from 'throughline/testing'
import { Ordering, Payments, openOrders, ordering, payments } from './sample.ts'

const Thing = z.object({ orderId: z.string(), customerId: z.string() })

contract(
  'keyless',
  { key: 'customerId' },
  {
    // @ts-expect-error The key is missing from the schema.
    Ordered: event(z.object({ orderId: z.string() })),
  },
)

const Before = z.object({ customerId: z.string(), total: z.number() })
const Between = z.object({ customerId: z.string(), totalCents: z.int() })
const Today = z.object({ customerId: z.string(), totalCents: z.int(), currency: z.string() })
const cents = ({ customerId, total }: z.infer<typeof Before>) => ({
  customerId,
  totalCents: total * 100,
})

contract(
  'versions',
  { key: 'customerId' },
  {
    Right: event(Today, {
      upcasters: [
        [Before, ({ customerId, total }) => ({ customerId, totalCents: total * 100 })],
        [Between, (data) => ({ ...data, currency: 'EUR' })],
      ],
    }),
    Lacking: event(Between, {
      // @ts-expect-error An earlier version is made into less than the next one takes.
      upcasters: [[Before, ({ customerId }) => ({ customerId })]],
    }),
    // @ts-expect-error It reads what the earlier version did not have.
    Inventing: event(Between, { upcasters: [[Before, ({ amount }) => amount]] }),
    // @ts-expect-error A version in between is left out.
    Skipping: event(Today, { upcasters: [[Before, cents]] }),
    // @ts-expect-error The versions are in the wrong order.
    Swapped: command(Today, { upcasters: [[Between, cents]] }),
    Asked: command(Between, {
      refuses: ['no'],
      // @ts-expect-error What it makes is of another type.
      upcasters: [[Before, ({ customerId }) => ({ customerId, totalCents: 'many' })]],
    }),
  },
)

type Order = { is: 'absent' } | { is: 'open'; totalCents: number }
const initial = { is: 'absent' } as Order

entity(
  'foreign-event',
  { of: Ordering, id: 'orderId', initial },
  {
    decide: (on) => [
      // @ts-expect-error An event of another contract.
      on(Ordering.PlaceOrder, () => Payments.Charged({ orderId: '', customerId: '', cents: 1 })),
    ],
    evolve: () => [],
  },
)

entity(
  'foreign-command',
  { of: Ordering, id: 'orderId', initial },
  {
    decide: (on) => [
      // @ts-expect-error A command of another contract.
      on(Payments.Charge, () => []),
    ],
    evolve: () => [],
  },
)

entity(
  'unlisted-refusal',
  { of: Ordering, id: 'orderId', initial },
  {
    decide: (on) => [
      // @ts-expect-error A refusal that the contract lacks.
      on(Ordering.PlaceOrder, () => refuse('no-such-code')),
    ],
    evolve: () => [],
  },
)

entity(
  'undecided',
  { of: Ordering, id: 'orderId', initial },
  {
    decide: (on) => [
      on(Ordering.PlaceOrder, ({ orderId, customerId }) =>
        Ordering.OrderPlaced({ orderId, customerId, totalCents: 1 }),
      ),
    ],
    evolve: (on) => [
      on(Ordering.OrderPlaced, ({ totalCents }) => ({ is: 'open', totalCents })),
      // @ts-expect-error An event that nobody decides.
      on(Ordering.OrderCancelled, () => ({ is: 'absent' })),
    ],
  },
)

entity(
  'typo',
  { of: Ordering, id: 'orderId', initial },
  {
    decide: (on) => [
      on(Ordering.PlaceOrder, ({ orderId, customerId }) =>
        Ordering.OrderPlaced({ orderId, customerId, totalCents: 1 }),
      ),
    ],
    evolve: (on) => [
      // @ts-expect-error A state that does not exist.
      on(Ordering.OrderPlaced, () => ({ is: 'opne' })),
    ],
  },
)

entity(
  'misspelt-id',
  { of: Ordering, id: 'ordreId', initial },
  {
    decide: (on) => [
      // @ts-expect-error The command has no field that holds the id of the entity.
      on(Ordering.CancelOrder, () => refuse('not-open')),
      // A rule with `ids` needs no such field.
      on(Ordering.PlaceOrder, { ids: ({ orderId }) => [orderId] }, (asked) =>
        Ordering.OrderPlaced({ ...asked, totalCents: 1 }),
      ),
    ],
    evolve: (on) => [
      // @ts-expect-error The event has no field that holds the id of the entity.
      on(Ordering.OrderPlaced, () => initial),
    ],
  },
)

entity(
  'id-of-no-text',
  { of: Payments, id: 'cents', initial },
  {
    decide: (on) => [
      // @ts-expect-error An id is text.
      on(Payments.Charge, () => []),
    ],
    evolve: () => [],
  },
)

// A sibling's event may change an entity, once it is declared.
entity(
  'sibling',
  { of: Ordering, id: 'customerId', initial, receives: [Ordering.OrderCancelled] },
  {
    decide: () => [],
    evolve: (on) => [on(Ordering.OrderCancelled, () => ({ is: 'absent' }))],
  },
)

const step = {
  by: 'orderId',
  initial: { is: 'new' } as { is: 'new' } | { status: 'done' },
} as const

saga('undeclared-send', { ...step, sends: [Payments.Refund] }, (on) => [
  on(Ordering.OrderPlaced, ({ orderId, customerId, totalCents: cents }) =>
    // @ts-expect-error A command that is not among the declared sends.
    send(Payments.Charge({ orderId, customerId, cents })),
  ),
])

saga('undeclared-timer', { ...step, sends: [Payments.Refund] }, (on) => [
  on(Ordering.OrderPlaced, ({ orderId, customerId }) =>
    // @ts-expect-error A timer may only send what is declared.
    after(1, Ordering.CancelOrder({ orderId, customerId, reason: '' })),
  ),
])

saga('wrong-state', { ...step, sends: [Payments.Refund] }, (on) => [
  // @ts-expect-error A state that the saga does not have.
  on(Ordering.OrderPlaced, () => become({ is: 'gone' })),
])

saga('undeclared-refusal', { ...step, sends: [Payments.Refund] }, (on) => [
  // @ts-expect-error It never sends that command, so it cannot be refused.
  on.refused(Payments.Charge, () => finish()),
])

saga('nameless', { by: 'sku', initial: { is: 'new' }, sends: [Payments.Refund] }, (on) => [
  // @ts-expect-error The event has no field that names the instance.
  on(Ordering.OrderPlaced, () => finish()),
])

saga('settled', { ...step, sends: [Payments.Refund] }, (on) => [
  on(Ordering.OrderPlaced, () => [
    // @ts-expect-error What an operation says itself cannot be an outcome.
    finish({ status: 'refused' }),
    // @ts-expect-error It would never settle.
    finish({ status: 'pending', reason: 'later' }),
    // @ts-expect-error An outcome is named in lower case.
    finish({ status: 'Rolled back' }),
  ]),
])

const apart = { thread: import.meta.url, sends: [Payments.Refund] } as const
handler('apart', apart, (on) => [
  on(Ordering.OrderPlaced, ({ orderId, customerId, totalCents: cents }) =>
    // @ts-expect-error A handler in a thread sends what it declares, like any other.
    send(Payments.Charge({ orderId, customerId, cents })),
  ),
])

// @ts-expect-error Tools cannot cross over to a thread.
handler('equipped', { thread: import.meta.url, uses: { mail: tool<object>() } }, () => [])

// @ts-expect-error An index over a field that the row does not have.
projection('indexed', { by: 'orderId', row: tool<{ a: string }>(), indexes: ['b'] }, () => [])

projection('misspelt-by', { by: 'ordreId', row: tool<{ a: string }>() }, (on) => [
  // @ts-expect-error The event has no field that holds the id of the row.
  on(Ordering.OrderPlaced, () => ({ a: '' })),
  on(Ordering.OrderCancelled, { ids: ({ orderId }) => [orderId] }, () => undefined),
])

// A refusal is found by the field of its command.
projection('of-refusals', { by: 'orderId', row: tool<{ a: string }>() }, (on) => [
  on(Ordering.PlaceOrder.refused, ({ code }) => ({ a: code })),
])
projection('of-no-refusals', { by: 'code', row: tool<{ a: string }>() }, (on) => [
  // @ts-expect-error The command has no such field, although the refusal has.
  on(Ordering.PlaceOrder.refused, ({ code }) => ({ a: code })),
])

queryHandler('other', { of: Ordering, reads: [openOrders] }, (on) => [
  on(Ordering.FindOpenOrders, async (_asked, read) => {
    // @ts-expect-error Not an indexed field.
    await read(openOrders).find({ totalCents: 1 })
    return []
  }),
  // @ts-expect-error Not what the contract says is answered.
  on(Ordering.FindOpenOrders, () => 'none'),
])

const Placing = z.object({ order: z.string(), customer: z.string() })
const partner = edge(
  'partner',
  { system: 'PARTNER', service: 'SHOP', transport: 'broker' },
  {
    receives: (on) => [
      // @ts-expect-error The body has no such field.
      on(Ordering.PlaceOrder, { topic: 'IN', body: Placing, id: ({ id }) => id }, () =>
        refuse('no'),
      ),
      // @ts-expect-error Not the data of the command.
      on(Ordering.PlaceOrder, { topic: 'IN', body: Placing, id: ({ order }) => order }, () => ({
        order: 1,
      })),
    ],
    sends: (on) => [
      // @ts-expect-error A query is not published.
      on(Ordering.FindOpenOrders, { topic: 'OUT', id: () => '' }, () => ({})),
    ],
  },
)
const atTheEdge = service('at-the-edge', { runs: [], edges: [partner] })

export async function misuses(): Promise<void> {
  // @ts-expect-error The transport of an edge is missing.
  await start([atTheEdge], memory())
  // @ts-expect-error A transport is no text.
  await start([atTheEdge], memory(), { tools: { broker: 'amqp://localhost' } })
  await start([atTheEdge], memory(), { tools: { broker: inProcess() } })
  // @ts-expect-error A tool is missing.
  await start([ordering, payments], memory())
  // @ts-expect-error A tool has another form.
  await start([ordering, payments], memory(), { tools: { mail: 1 } })
  const app = await start([ordering], memory(), { remote: [Payments] })
  // @ts-expect-error An event cannot be sent.
  await app.send(Ordering.OrderPlaced({ orderId: '', customerId: '', totalCents: 1 }))
  // @ts-expect-error A field is missing.
  Ordering.PlaceOrder({ orderId: '', customerId: '' })
}

export const Kept = contract('kept', { key: 'customerId' }, { Do: command(Thing) })
