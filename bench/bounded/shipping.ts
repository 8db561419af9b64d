// A small conversation with a consumer of each kind. Each order makes five events: Place, Placed, Ship,
// Shipped, Announced.
import type { Message, Service } from 'throughline'
import {
  command,
  contract,
  entity,
  event,
  finish,
  handler,
  projection,
  saga,
  send,
  service,
  tool,
} from 'throughline'
import { z } from 'zod'

export const EVENTS_PER_ORDER = 5
export const CUSTOMERS = 1_000

const Order = z.object({ customer: z.string(), order: z.string() })
const Orders = contract(
  'orders',
  { key: 'customer' },
  { Place: command(Order), Placed: event(Order), Ship: command(Order), Shipped: event(Order) },
)
const News = contract('news', { key: 'customer' }, { Announced: event(Order) })

/** One of so many orders fails once at each consumer. */
const FAILS_EVERY = 200

/** The services; some rules fail once at some orders. */
export function createShipping(): readonly Service<string, unknown>[] {
  const failed = new Set<string>()
  const failOnce = (rule: string, order: string): void => {
    if (Number(order.slice(1)) % FAILS_EVERY !== 0 || failed.has(`${rule} ${order}`)) return
    failed.add(`${rule} ${order}`)
    throw new Error(`${rule} fails once`)
  }
  const retry = { delayMs: 5, delayMsMax: 20 }
  const customer = entity(
    'customer',
    { of: Orders, id: 'customer', initial: 0, retry },
    {
      decide: (on) => [
        on(Orders.Place, (order) => (failOnce('customer', order.order), Orders.Placed(order))),
        on(Orders.Ship, (order) => Orders.Shipped(order)),
      ],
      evolve: (on) => [
        on(Orders.Placed, (_, count) => count + 1),
        on(Orders.Shipped, (_, count) => count + 1),
      ],
    },
  )
  const shipping = saga(
    'shipping',
    { by: 'order', initial: { status: 'new' }, sends: [Orders.Ship], retry },
    (on) => [
      on(Orders.Placed, (order) => (failOnce('shipping', order.order), [send(Orders.Ship(order))])),
      on(Orders.Shipped, () => finish()),
    ],
  )
  const counts = projection(
    'counts',
    { by: 'customer', row: tool<{ n: number }>(), retry },
    (on) => [
      on(Orders.Shipped, ({ order }, row) => {
        failOnce('counts', order)
        return { n: (row?.n ?? 0) + 1 }
      }),
    ],
  )
  const announcer = handler('announcer', { emits: [News.Announced], retry }, (on) => [
    on(Orders.Shipped, (order) => {
      failOnce('announcer', order.order)
      return News.Announced(order)
    }),
  ])
  const runs = [customer, shipping, counts, announcer]
  return [service('orders', { owns: [Orders, News], runs })]
}

export function orderOf(number: number): Message {
  return Orders.Place({ customer: `customer-${number % CUSTOMERS}`, order: `o${number}` })
}
