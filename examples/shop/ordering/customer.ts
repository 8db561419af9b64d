// The invoices of a customer in their order. The order decides what can be returned.
//
// A return takes pieces from earlier orders, so it waits until every earlier invoice has settled. It
// waits in the state of this entity; the command that settles the last earlier invoice decides it.
import { entity, refuse } from 'throughline'
import type { Goods, OrderLine } from '../contracts.ts'
import { Ordering, isGuest } from '../contracts.ts'
import { draw, subtract, valueOf } from './return-lines.ts'
import type { SettledOrder } from './return-lines.ts'

/** An invoice that has not settled; `at` is its position among the customer's invoices. */
type OpenInvoice =
  | { kind: 'order'; id: string; at: number; lines: readonly OrderLine[] }
  | { kind: 'parked-return'; id: string; at: number; lines: readonly Goods[] }
  | { kind: 'accepted-return'; id: string; at: number }

export interface Customer {
  readonly next: number
  readonly open: readonly OpenInvoice[]
  readonly settled: readonly SettledOrder[]
  /** The ids of all returns so far. */
  readonly returns: readonly string[]
}

const newCustomer: Customer = { next: 0, open: [], settled: [], returns: [] }

const isOpen = ({ open }: Customer, kind: OpenInvoice['kind'], id: string): boolean =>
  open.some((invoice) => invoice.kind === kind && invoice.id === id)

const withoutOpen = (customer: Customer, id: string): Customer => ({
  ...customer,
  open: customer.open.filter((invoice) => invoice.id !== id),
})

function settleOrder(customer: Customer, orderId: string): Customer {
  const order = customer.open.find(({ kind, id }) => kind === 'order' && id === orderId)
  if (order?.kind !== 'order') return customer
  const { id, at, lines } = order
  const settled = [...customer.settled, { id, at, lines }].toSorted((a, b) => a.at - b.at)
  return { ...withoutOpen(customer, orderId), settled }
}

function park(customer: Customer, returnId: string, lines: readonly Goods[]): Customer {
  const { next, open, returns } = customer
  const parked: OpenInvoice = { kind: 'parked-return', id: returnId, at: next, lines }
  return { ...customer, next: next + 1, open: [...open, parked], returns: [...returns, returnId] }
}

/** Decides parked returns from the front; stops at an accepted one, for which later returns wait. */
function dueReturns(customer: Customer, customerId: string) {
  const decided = []
  let waiting = customer
  for (let first = waiting.open[0]; first?.kind === 'parked-return'; first = waiting.open[0]) {
    const { id: returnId, at } = first
    const earlier = waiting.settled.filter((order) => order.at < at)
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
    initial: newCustomer,
    emits: [
      Ordering.OrderCompleted,
      Ordering.OrderRolledBack,
      Ordering.ReturnParked,
      Ordering.ReturnAccepted,
      Ordering.ReturnDeclined,
      Ordering.ReturnCompleted,
    ],
    receives: [Ordering.OrderConfirmed],
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
        open: [...state.open, { kind: 'order', id, at: next, lines }],
      })),
      on(Ordering.OrderCompleted, ({ orderId }, state) => settleOrder(state, orderId)),
      on(Ordering.OrderRolledBack, ({ orderId }, state) => withoutOpen(state, orderId)),
      on(Ordering.ReturnParked, ({ returnId, lines }, state) => park(state, returnId, lines)),
      on(Ordering.ReturnAccepted, ({ returnId: id, lines }, before) => {
        // A return that did not have to wait has no ReturnParked event before it.
        const state = isOpen(before, 'parked-return', id) ? before : park(before, id, [])
        const open = state.open.map((invoice): OpenInvoice =>
          invoice.id === id ? { kind: 'accepted-return', id, at: invoice.at } : invoice,
        )
        return { ...state, open, settled: subtract(state.settled, lines) }
      }),
      on(Ordering.ReturnDeclined, ({ returnId }, state) => withoutOpen(state, returnId)),
      on(Ordering.ReturnCompleted, ({ returnId }, state) => withoutOpen(state, returnId)),
    ],
  },
)
