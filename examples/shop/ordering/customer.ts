// A customer's invoices in their order, which decides what can be returned.
//
// A return draws on what earlier orders have left, so it waits until every earlier invoice has
// settled. It waits here, in the state, and the message that settles the last of them decides it.
import { entity, refuse } from 'throughline'
import type { Goods, OrderLine } from '../contracts.ts'
import { Ordering, isGuest } from '../contracts.ts'
import { draw, subtract, valueOf } from './drawing.ts'

/** An invoice that has not settled; `at` is its place among the customer's invoices. */
type OpenInvoice =
  | { is: 'order'; id: string; at: number; lines: readonly OrderLine[] }
  | { is: 'parked-return'; id: string; at: number; lines: readonly Goods[] }
  | { is: 'accepted-return'; id: string; at: number }

/** A settled order, and what of it has not come back. */
export interface StandingOrder {
  readonly id: string
  readonly at: number
  readonly lines: readonly OrderLine[]
}

export interface Customer {
  readonly next: number
  readonly open: readonly OpenInvoice[]
  readonly standing: readonly StandingOrder[]
  /** Every return that was taken in. */
  readonly returns: readonly string[]
}

const stranger: Customer = { next: 0, open: [], standing: [], returns: [] }

const isOpen = ({ open }: Customer, is: OpenInvoice['is'], id: string): boolean =>
  open.some((invoice) => invoice.is === is && invoice.id === id)

const withoutOpen = (customer: Customer, id: string): Customer => ({
  ...customer,
  open: customer.open.filter((invoice) => invoice.id !== id),
})

function settleOrder(customer: Customer, orderId: string): Customer {
  const order = customer.open.find(({ is, id }) => is === 'order' && id === orderId)
  if (order?.is !== 'order') return customer
  const { id, at, lines } = order
  const standing = [...customer.standing, { id, at, lines }].toSorted((a, b) => a.at - b.at)
  return { ...withoutOpen(customer, orderId), standing }
}

function park(customer: Customer, returnId: string, lines: readonly Goods[]): Customer {
  const { next, open, returns } = customer
  const parked: OpenInvoice = { is: 'parked-return', id: returnId, at: next, lines }
  return { ...customer, next: next + 1, open: [...open, parked], returns: [...returns, returnId] }
}

/** Decides the returns that wait for nothing any more: accepted ones are waited for in turn. */
function dueReturns(customer: Customer, customerId: string) {
  const decided = []
  let waiting = customer
  for (let first = waiting.open[0]; first?.is === 'parked-return'; first = waiting.open[0]) {
    const { id: returnId, at } = first
    const earlier = waiting.standing.filter((order) => order.at < at)
    const lines = draw(earlier, first.lines)
    if (lines) {
      const refundCents = valueOf(lines)
      return [...decided, Ordering.ReturnAccepted({ returnId, customerId, lines, refundCents })]
    }
    decided.push(Ordering.ReturnDeclined({ returnId, customerId, reason: 'nothing-to-return' }))
    waiting = withoutOpen(waiting, returnId)
  }
  return decided
}

export const customer = entity(
  'customer',
  {
    of: Ordering,
    id: 'customerId',
    initial: stranger,
    emits: [
      Ordering.OrderCompleted,
      Ordering.OrderRolledBack,
      Ordering.ReturnParked,
      Ordering.ReturnAccepted,
      Ordering.ReturnDeclined,
      Ordering.ReturnCompleted,
    ],
    hears: [Ordering.OrderConfirmed],
  },
  {
    decide: (on) => [
      on(Ordering.CompleteOrder, ({ orderId, customerId }, state) =>
        isOpen(state, 'order', orderId)
          ? [
              Ordering.OrderCompleted({ orderId, customerId }),
              ...dueReturns(settleOrder(state, orderId), customerId),
            ]
          : refuse('not-open'),
      ),
      on(Ordering.RollBackOrder, ({ orderId, customerId, reason }, state) =>
        isOpen(state, 'order', orderId)
          ? [
              Ordering.OrderRolledBack({ orderId, customerId, reason }),
              ...dueReturns(withoutOpen(state, orderId), customerId),
            ]
          : refuse('not-open'),
      ),
      on(Ordering.ReturnGoods, ({ returnId, customerId, lines }, state) => {
        if (isGuest(customerId)) return refuse('no-customer')
        if (state.returns.includes(returnId)) return refuse('already-returned')
        const [decided] = dueReturns(park(state, returnId, lines), customerId)
        if (!decided) return Ordering.ReturnParked({ returnId, customerId, lines })
        return decided.name === 'ReturnDeclined' ? refuse('nothing-to-return') : decided
      }),
      on(Ordering.CompleteReturn, ({ returnId, customerId }, state) =>
        isOpen(state, 'accepted-return', returnId)
          ? [
              Ordering.ReturnCompleted({ returnId, customerId }),
              ...dueReturns(withoutOpen(state, returnId), customerId),
            ]
          : refuse('not-open'),
      ),
    ],
    evolve: (on) => [
      on(Ordering.OrderConfirmed, ({ orderId: id, lines }, { next, ...state }) => ({
        ...state,
        next: next + 1,
        open: [...state.open, { is: 'order', id, at: next, lines }],
      })),
      on(Ordering.OrderCompleted, ({ orderId }, state) => settleOrder(state, orderId)),
      on(Ordering.OrderRolledBack, ({ orderId }, state) => withoutOpen(state, orderId)),
      on(Ordering.ReturnParked, ({ returnId, lines }, state) => park(state, returnId, lines)),
      on(Ordering.ReturnAccepted, ({ returnId: id, lines }, before) => {
        // One that never had to wait is parked and accepted in the same breath.
        const state = isOpen(before, 'parked-return', id) ? before : park(before, id, [])
        const open = state.open.map((invoice): OpenInvoice =>
          invoice.id === id ? { is: 'accepted-return', id, at: invoice.at } : invoice,
        )
        return { ...state, open, standing: subtract(state.standing, lines) }
      }),
      on(Ordering.ReturnDeclined, ({ returnId }, state) => withoutOpen(state, returnId)),
      on(Ordering.ReturnCompleted, ({ returnId }, state) => withoutOpen(state, returnId)),
    ],
  },
)
