// The saga of an order: charge the payment, then update stock and schedule delivery in parallel, then
// complete the order. If a step is refused, the steps before it are compensated one after another.
import { become, compensate, finish, saga, send } from 'throughline'
import type { Goods, OrderLine } from '../contracts.ts'
import { Delivery, Inventory, Ordering, Payment } from '../contracts.ts'
import { isCharge } from '../intake/charges.ts'

/** The progress of one of the two parallel steps. */
type Branch = 'asked' | 'done' | 'refused'

interface Preparing {
  readonly status: 'preparing'
  readonly goods: readonly Goods[]
  readonly stock: Branch
  readonly drop: Branch
}

type Fulfilment =
  | { status: 'new' }
  | { status: 'charging'; goods: readonly Goods[]; country: string }
  | Preparing
  | { status: 'undoing'; reason: string; goods: readonly Goods[]; stock: Branch }

/** The pieces to take from stock: without charges, and with the lines of one product added up. */
export function goodsOf(lines: readonly OrderLine[]): Goods[] {
  const pieces = new Map<string, number>()
  for (const { sku, quantity } of lines)
    if (!isCharge(sku)) pieces.set(sku, (pieces.get(sku) ?? 0) + quantity)
  return [...pieces].map(([sku, quantity]) => ({ sku, quantity }))
}

interface AnOrder {
  readonly orderId: string
  readonly customerId: string
}

const orderIn = ({ orderId, customerId }: AnOrder): AnOrder => ({ orderId, customerId })

/** Once both steps have answered, completes the order or starts to compensate. */
function answered(order: AnOrder, state: Preparing) {
  const { stock, drop, goods } = state
  if (stock === 'asked' || drop === 'asked') return become(state)
  if (stock === 'done' && drop === 'done')
    return [become(state), send(Ordering.CompleteOrder(order))]
  const reason = drop === 'refused' ? 'not-served' : 'out-of-stock'
  const undoing = become({ status: 'undoing' as const, reason, goods, stock })
  return drop === 'done' ? [undoing, undoDrop(order)] : [undoing, undoNext(order, goods, stock)]
}

const undoDrop = (order: AnOrder) =>
  compensate(Delivery.RollBackDelivery(order), { undoes: Delivery.ScheduleDelivery })

const undoStock = (order: AnOrder, lines: readonly Goods[]) =>
  compensate(Inventory.RollBackInventory({ ...order, lines: [...lines] }), {
    undoes: Inventory.UpdateInventory,
  })

const undoCharge = (order: AnOrder) =>
  compensate(Payment.RollBackPayment(order), { undoes: Payment.ChargePayment })

/** What to compensate after the delivery: the stock if it was taken, else the charge. */
const undoNext = (order: AnOrder, goods: readonly Goods[], stock: Branch) =>
  stock === 'done' ? undoStock(order, goods) : undoCharge(order)

export const fulfilment = saga(
  'fulfilment',
  {
    by: 'orderId',
    initial: { status: 'new' } as Fulfilment,
    sends: [
      Payment.ChargePayment,
      Payment.RollBackPayment,
      Inventory.UpdateInventory,
      Inventory.RollBackInventory,
      Delivery.ScheduleDelivery,
      Delivery.RollBackDelivery,
      Ordering.CompleteOrder,
      Ordering.RollBackOrder,
    ],
  },
  (on) => [
    on(Ordering.OrderConfirmed, ({ lines, country, totalCents, card, ...order }) => [
      become({ status: 'charging', goods: goodsOf(lines), country }),
      send(
        Payment.ChargePayment({
          ...orderIn(order),
          amountCents: totalCents,
          ...(card === undefined ? {} : { card }),
        }),
      ),
    ]),

    on(Payment.PaymentCharged, (charged, state) => {
      if (state.status !== 'charging') return []
      const order = orderIn(charged)
      const { goods, country } = state
      return [
        become({ status: 'preparing', goods, stock: 'asked', drop: 'asked' }),
        send(Inventory.UpdateInventory({ ...order, lines: [...goods] })),
        send(Delivery.ScheduleDelivery({ ...order, country })),
      ]
    }),
    on.refused(Payment.ChargePayment, ({ code, command }) => [
      become({ status: 'undoing', reason: code, goods: [], stock: 'refused' }),
      send(Ordering.RollBackOrder({ ...orderIn(command), reason: code })),
    ]),

    on(Inventory.InventoryUpdated, (order, state) =>
      state.status === 'preparing' ? answered(orderIn(order), { ...state, stock: 'done' }) : [],
    ),
    on.refused(Inventory.UpdateInventory, ({ command }, state) =>
      state.status === 'preparing'
        ? answered(orderIn(command), { ...state, stock: 'refused' })
        : [],
    ),
    on(Delivery.DeliveryScheduled, (order, state) =>
      state.status === 'preparing' ? answered(orderIn(order), { ...state, drop: 'done' }) : [],
    ),
    on.refused(Delivery.ScheduleDelivery, ({ command }, state) =>
      state.status === 'preparing' ? answered(orderIn(command), { ...state, drop: 'refused' }) : [],
    ),
    on(Ordering.OrderCompleted, () => finish()),

    on(Delivery.DeliveryRolledBack, (order, state) =>
      state.status === 'undoing' ? undoNext(orderIn(order), state.goods, state.stock) : [],
    ),
    on(Inventory.InventoryRolledBack, (order, state) =>
      state.status === 'undoing' ? undoCharge(orderIn(order)) : [],
    ),
    on(Payment.PaymentRolledBack, (order, state) =>
      state.status === 'undoing'
        ? send(Ordering.RollBackOrder({ ...orderIn(order), reason: state.reason }))
        : [],
    ),
    on(Ordering.OrderRolledBack, ({ reason }) => finish({ status: 'rolled-back', reason })),
  ],
)
