// The services of the gateway's tests, and servers that a test opens and disposes.
import type { App } from 'throughline'
import {
  become,
  entity,
  finish,
  projection,
  queryHandler,
  refuse,
  saga,
  service,
  start,
  tool,
} from 'throughline'
import type { GatewayOptions, Listening, ListenOptions } from 'throughline/gateway'
import { gateway, listen, route } from 'throughline/gateway'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import { Ordering, Payment } from './contracts.ts'

type Order = { is: 'absent' } | { is: 'open'; quantity: number } | { is: 'closed' }

const order = entity(
  'order',
  { of: Ordering, id: 'orderId', initial: { is: 'absent' } as Order },
  {
    decide: (on) => [
      on(Ordering.PlaceOrder, ({ orderId, customerId, lines }, state) => {
        const quantity = lines.reduce((sum, line) => sum + line.quantity, 0)
        if (quantity > 1_000)
          return refuse('too-many', [{ path: 'lines', message: 'at most 1,000' }])
        if (state.is !== 'absent') return refuse('already-placed')
        return Ordering.OrderPlaced({ orderId, customerId, quantity })
      }),
      on(Ordering.CloseOrder, (ids) => Ordering.OrderClosed(ids)),
    ],
    evolve: (on) => [
      on(Ordering.OrderPlaced, ({ quantity }) => ({ is: 'open', quantity })),
      on(Ordering.OrderClosed, () => ({ is: 'closed' })),
    ],
  },
)

const orders = projection(
  'orders',
  {
    by: 'orderId',
    row: tool<{ customerId: string; is: string; quantity: number }>(),
    indexes: ['customerId'],
  },
  (on) => [
    on(Ordering.OrderPlaced, ({ customerId, quantity }) => ({ customerId, is: 'open', quantity })),
    on(Ordering.OrderClosed, (_, row) => row && { ...row, is: 'closed' }),
  ],
)

/** An order stays open until it is closed; its operation is pending until then. */
const closing = saga(
  'closing',
  { by: 'orderId', initial: { is: 'new' } as { is: 'new' | 'waiting' }, sends: [] },
  (on) => [
    on(Ordering.OrderPlaced, ({ quantity }) =>
      quantity === 7 ? become({ is: 'waiting' }) : finish(),
    ),
    on(Ordering.OrderClosed, () => finish({ status: 'rolled-back', reason: 'closed' })),
  ],
)

const find = queryHandler('find', { of: Ordering, reads: [orders] }, (on) => [
  on(Ordering.FindOrder, async ({ orderId }, read) => {
    if (orderId === 'broken') throw new Error('a secret of the rule')
    const row = await read(orders).get(orderId)
    return row ? { orderId, is: row.is, quantity: row.quantity } : null
  }),
  on(Ordering.ListOrders, async ({ customerId, limit = 100 }, read) => {
    const { rows } = await read(orders).find({ customerId }, { limit })
    return rows.map(({ id }) => ({ orderId: id }))
  }),
])

export const ordering = service('ordering', {
  owns: [Ordering],
  runs: [order, orders, closing, find],
})

const charge = entity(
  'charge',
  { of: Payment, id: 'orderId', initial: 0 },
  {
    decide: (on) => [
      on(Payment.Charge, (asked) =>
        asked.cents > 10_000 ? refuse('limit') : Payment.Charged(asked),
      ),
    ],
    evolve: (on) => [on(Payment.Charged, ({ cents }) => cents)],
  },
)

const charges = projection(
  'charges',
  { by: 'customerId', row: tool<{ cents: number }>(), indexes: [] },
  (on) => [on(Payment.Charged, ({ cents }, row) => ({ cents: (row?.cents ?? 0) + cents }))],
)

const sums = queryHandler('sums', { of: Payment, reads: [charges] }, (on) => [
  on(Payment.SumCharges, async ({ customerId }, read) => ({
    cents: (await read(charges).get(customerId))?.cents ?? 0,
  })),
])

export const payment = service('payment', { owns: [Payment], runs: [charge, charges, sums] })

/** Resources of a test, closed in reverse order. */
export interface Opened {
  readonly origin: string
  readonly app: App
  readonly server: Listening
  readonly broken: unknown[]
  [Symbol.asyncDispose](): Promise<void>
}

export const routes = [
  route.command('POST', '/orders', Ordering.PlaceOrder, {
    body: z.object({ customer: z.string(), skus: z.array(z.string()) }),
    map: ({ body, id }) => ({
      orderId: id.slice(-36),
      customerId: body.customer,
      lines: body.skus.map((sku) => ({ sku, quantity: 1 })),
      isGift: false,
    }),
    example: { customer: 'c-1', skus: ['a'] },
    summary: 'Places an order.',
  }),
  route.command('DELETE', '/customers/:customerId/orders/:orderId', Ordering.CloseOrder, {
    map: ({ params }) => ({ orderId: params.orderId, customerId: params.customerId }),
  }),
  route.query('GET', '/orders/:orderId', Ordering.FindOrder),
  route.query('GET', '/customers/:customerId/orders', Ordering.ListOrders),
]

export const placed = (orderId: string, quantity = 1) => ({
  orderId,
  customerId: 'c-1',
  lines: [{ sku: 'a', quantity }],
  isGift: false,
})

/** Serves ordering with all its messages. */
export async function openShop(
  options: GatewayOptions = {},
  token?: string,
  limits: Pick<ListenOptions, 'streamsMax'> = {},
): Promise<Opened> {
  const app = await start([ordering], memory(), { engine: { idleMs: 50 } })
  const broken: unknown[] = []
  const broke = (_id: string, cause: unknown): void => void broken.push(cause)
  const handler = gateway(app, { routes, expose: [Ordering], onError: broke, ...options })
  const listenOptions = {
    port: 0,
    onError: broke,
    ...limits,
    ...(token === undefined ? {} : { token }),
  }
  return opened(app, await listen([handler], listenOptions), broken)
}

/** Serves payment with all its messages. */
export async function openTill(
  token?: string,
  limits: Pick<ListenOptions, 'streamsMax'> = {},
): Promise<Opened> {
  const app = await start([payment], memory(), { engine: { idleMs: 50 } })
  const handler = gateway(app, { expose: [Payment] })
  return opened(
    app,
    await listen([handler], { port: 0, ...limits, ...(token ? { token } : {}) }),
    [],
  )
}

function opened(app: App, server: Listening, broken: unknown[]): Opened {
  return {
    origin: server.url,
    app,
    server,
    broken,
    async [Symbol.asyncDispose]() {
      await server.close({ graceMs: 1_000 })
      await app.stop()
    },
  }
}

/** Posts JSON. */
export function post(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
}
