// The sample of the model, completed: it must compile as it stands.
import { z } from 'zod'
import {
  become,
  command,
  compensate,
  contract,
  entity,
  event,
  finish,
  handler,
  projection,
  query,
  queryHandler,
  refuse,
  saga,
  send,
  service,
  start,
  tool,
} from 'throughline'
import type { OperationState, SettledResult } from 'throughline'
import { memory } from 'throughline/testing'

const Line = z.object({ sku: z.string(), quantity: z.int(), unitPriceCents: z.int() })

export const Ordering = contract(
  'ordering',
  { key: 'customerId' },
  {
    PlaceOrder: command(
      z.object({ orderId: z.string(), customerId: z.string(), lines: z.array(Line) }),
      { refuses: ['already-placed'] },
    ),
    CancelOrder: command(
      z.object({ orderId: z.string(), customerId: z.string(), reason: z.string() }),
      { refuses: ['not-open'] },
    ),
    OrderPlaced: event(
      z.object({ orderId: z.string(), customerId: z.string(), totalCents: z.int() }),
    ),
    OrderCancelled: event(
      z.object({ orderId: z.string(), customerId: z.string(), reason: z.string() }),
    ),
    FindOpenOrders: query(z.object({ customerId: z.string() }), {
      answers: z.array(z.object({ orderId: z.string(), totalCents: z.int() })),
    }),
  },
)

export const Payments = contract(
  'payments',
  { key: 'customerId' },
  {
    Charge: command(z.object({ orderId: z.string(), customerId: z.string(), cents: z.int() }), {
      refuses: ['card-declined', 'limit'],
    }),
    Refund: command(z.object({ orderId: z.string(), customerId: z.string() })),
    Charged: event(z.object({ orderId: z.string(), customerId: z.string(), cents: z.int() })),
    Refunded: event(z.object({ orderId: z.string(), customerId: z.string() })),
  },
)

type Order = { is: 'absent' } | { is: 'open'; totalCents: number } | { is: 'cancelled' }

export const order = entity(
  'order',
  { of: Ordering, id: 'orderId', initial: { is: 'absent' } as Order },
  {
    decide: (on) => [
      on(Ordering.PlaceOrder, ({ orderId, customerId, lines }, state) =>
        state.is === 'absent'
          ? Ordering.OrderPlaced({
              orderId,
              customerId,
              totalCents: lines.reduce((sum, line) => sum + line.quantity * line.unitPriceCents, 0),
            })
          : refuse('already-placed'),
      ),
      on(Ordering.CancelOrder, ({ orderId, customerId, reason }, state) =>
        state.is === 'open'
          ? Ordering.OrderCancelled({ orderId, customerId, reason })
          : refuse('not-open'),
      ),
    ],
    evolve: (on) => [
      on(Ordering.OrderPlaced, ({ totalCents }) => ({ is: 'open', totalCents })),
      on(Ordering.OrderCancelled, () => ({ is: 'cancelled' })),
    ],
  },
)

export const openOrders = projection(
  'open-orders',
  {
    by: 'orderId',
    row: tool<{ customerId: string; totalCents: number }>(),
    indexes: ['customerId'],
  },
  (on) => [
    on(Ordering.OrderPlaced, ({ customerId, totalCents }) => ({ customerId, totalCents })),
    on(Ordering.OrderCancelled, () => undefined),
  ],
)

export const findOpenOrders = queryHandler(
  'find-open-orders',
  { of: Ordering, reads: [openOrders] },
  (on) => [
    on(Ordering.FindOpenOrders, async ({ customerId }, read) => {
      const { rows } = await read(openOrders).find({ customerId })
      return rows.map(({ id, row }) => ({ orderId: id, totalCents: row.totalCents }))
    }),
  ],
)

type Fulfilment = { is: 'new' } | { is: 'charging' } | { is: 'undoing' }

export const fulfilment = saga(
  'fulfilment',
  {
    by: 'orderId',
    initial: { is: 'new' } as Fulfilment,
    sends: [Payments.Charge, Payments.Refund, Ordering.CancelOrder],
  },
  (on) => [
    on(Ordering.OrderPlaced, ({ orderId, customerId, totalCents }) => [
      become({ is: 'charging' }),
      send(Payments.Charge({ orderId, customerId, cents: totalCents })),
    ]),
    on(Payments.Charged, () => finish()),
    on.refused(Payments.Charge, ({ code, command: { orderId, customerId } }) => {
      const reason: 'card-declined' | 'limit' = code
      return [
        send(Ordering.CancelOrder({ orderId, customerId, reason })),
        finish({ status: 'rolled-back', reason }),
      ]
    }),
    on.failed(Payments.Charge, ({ command: { orderId, customerId } }) => [
      become({ is: 'undoing' }),
      compensate(Payments.Refund({ orderId, customerId }), { undoes: Payments.Charge }),
    ]),
    on(Payments.Refunded, () => finish({ status: 'rolled-back', reason: 'failed' })),
  ],
)

export const ordering = service('ordering', {
  owns: [Ordering],
  runs: [order, openOrders, findOpenOrders, fulfilment],
})

type Payment = { is: 'absent' } | { is: 'charged' } | { is: 'refunded' }

export const payment = entity(
  'payment',
  { of: Payments, id: 'orderId', initial: { is: 'absent' } as Payment },
  {
    decide: (on) => [
      on(Payments.Charge, (asked) =>
        asked.cents > 500_000 ? refuse('limit') : Payments.Charged(asked),
      ),
      on(Payments.Refund, ({ orderId, customerId }, state) =>
        state.is === 'charged' ? Payments.Refunded({ orderId, customerId }) : [],
      ),
    ],
    evolve: (on) => [
      on(Payments.Charged, () => ({ is: 'charged' })),
      on(Payments.Refunded, () => ({ is: 'refunded' })),
    ],
  },
)

interface Mail {
  post(to: string, text: string, key: string): Promise<void>
}

export const receipts = handler('receipts', { uses: { mail: tool<Mail>() } }, (on) => [
  on(Payments.Charged, async ({ customerId, cents }, { mail }, { effectKey }) => {
    await mail.post(customerId, `Thank you for ${cents}`, effectKey)
  }),
])

export const payments = service('payments', { owns: [Payments], runs: [payment, receipts] })

/** What an operation settles with is told apart by its `is` alone; outcomes have names of their own. */
function toldOf(settled: SettledResult<'already-placed'>): string {
  if (settled.status === 'refused') {
    const code: 'already-placed' = settled.code
    return `${code} ${settled.issues.map(({ message }) => message).join()}`
  }
  if (settled.status === 'rolled-back') return settled.reason ?? 'for no reason'
  return settled.status
}

/** While it is looked at, it may be pending, too. */
export function stateOf(state: OperationState<'limit' | 'closed'>): string {
  if (state.status === 'pending') return 'not yet'
  return state.status === 'refused' ? state.code : (state.reason ?? state.status)
}

export async function main(mail: Mail): Promise<string> {
  await using app = await start([ordering, payments], memory(), { tools: { mail } })
  const operation = await app.send(
    Ordering.PlaceOrder({ orderId: 'o-1', customerId: 'c-1', lines: [] }),
    { id: 'place:o-1' },
  )
  const accepted = await operation.accepted()
  if (accepted.status === 'refused') {
    const code: 'already-placed' = accepted.code
    return code
  }
  const found = await app.ask(Ordering.FindOpenOrders({ customerId: 'c-1' }))
  const total: number | undefined = found[0]?.totalCents
  return `${toldOf(await operation.settled())} ${total}`
}
