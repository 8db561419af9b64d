// The contracts of the services in the gateway's tests.
import { command, contract, event, query } from 'throughline'
import { z } from 'zod'

const Line = z.object({ sku: z.string(), quantity: z.int().min(1) })
const ids = { orderId: z.string().min(1).max(64), customerId: z.string().min(1).max(64) }

export const Ordering = contract(
  'ordering',
  { key: 'customerId' },
  {
    PlaceOrder: command(z.object({ ...ids, lines: z.array(Line).min(1), isGift: z.boolean() }), {
      refuses: ['already-placed', 'too-many'],
    }),
    OrderPlaced: event(z.object({ ...ids, quantity: z.int() })),
    CloseOrder: command(z.object(ids)),
    OrderClosed: event(z.object(ids)),
    FindOrder: query(z.object({ orderId: z.string(), version: z.int().optional() }), {
      answers: z.object({ orderId: z.string(), is: z.string(), quantity: z.int() }).nullable(),
    }),
    ListOrders: query(
      z.object({ customerId: z.string(), limit: z.int().min(1).max(100).optional() }),
      { answers: z.array(z.object({ orderId: z.string() })) },
    ),
    Unanswered: query(z.object({}), { answers: z.object({}) }),
  },
)

export const Payment = contract(
  'payment',
  { key: 'customerId' },
  {
    Charge: command(z.object({ ...ids, cents: z.int().min(1) }), { refuses: ['limit'] }),
    Charged: event(z.object({ ...ids, cents: z.int() })),
    SumCharges: query(z.object({ customerId: z.string() }), {
      answers: z.object({ cents: z.int() }),
    }),
  },
)
