// Carries an order from its confirmation to its end: charge, then stock and delivery side by
// side, then complete; or back, step by step, each step after the last one's answer.
import { become, compensate, finish, saga, send } from 'throughline'
import type { Goods, OrderLine } from '../contracts.ts'
import { Delivery, Inventory, Ordering, Payment } from '../contracts.ts'
import { isCharge } from '../intake/charges.ts'

/** What both branches still have to say, or have said. */
type Branch = 'asked' | 'done' | 'refused'

interface Preparing {
  readonly is: 'preparing'
  readonly goods: readonly Goods[]
  readonly stock: Branch
  readonly drop: Branch
}

type Fulfilment =
  | { is: 'new' }
  | { is: 'charging'; goods: readonly Goods[]; country: string }
  | Preparing
  | { is: 'undoing'; reason: string; goods: readonly Goods[]; stock: Branch }

/** Pieces to be taken from stock: charges are no goods, lines of one product add up. */
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

/** Once both branches have answered, the order is complete or goes back. */
function answered(order: AnOrder, state: Preparing) {
  const { stock, drop, goods } = state
  if (stock === 'asked' || drop === 'asked') return become(state)
  if (stock === 'done' && drop === 'done')
    return [become(state), send(Ordering.CompleteOrder(order))]
  const reason = drop === 'refused' ? 'not-served' : 'out-of-stock'
  const undoing = become({ is: 'undoing' as const, reason, goods, stock })
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

/** After the drop: the stock if it was taken, else the charge. */
const undoNext = (order: AnOrder, goods: readonly Goods[], stock: Branch) =>
  stock === 'done' ? undoStock(order, goods) : undoCharge(order)

export const fulfilment = saga(
  'fulfilment',
  {
    by: 'orderId',
    initial: { is: 'new' } as Fulfilment,
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
    on(Ordering.OrderConfirmed, ({ lines, country, totalCents, ...order }) => [
      become({ is: 'charging', goods: goodsOf(lines), country }),
      send(Payment.ChargePayment({ ...orderIn(order), amountCents: totalCents })),
    ]),

    on(Payment.PaymentCharged, (charged, state) => {
      if (state.is !== 'charging') return []
      const order = orderIn(charged)
      const { goods, country } = state
      return [
        become({ is: 'preparing', goods, stock: 'asked', drop: 'asked' }),
        send(Inventory.UpdateInventory({ ...order, lines: [...goods] })),
        send(Delivery.ScheduleDelivery({ ...order, country })),
      ]
    }),
    on.refused(Payment.ChargePayment, ({ code, command }) => [
      become({ is: 'undoing', reason: code, goods: [], stock: 'refused' }),
      send(Ordering.RollBackOrder({ ...orderIn(command), reason: code })),
    ]),

    on(Inventory.InventoryUpdated, (order, state) =>
      state.is === 'preparing' ? answered(orderIn(order), { ...state, stock: 'done' }) : [],
    ),
    on.refused(Inventory.UpdateInventory, ({ command }, state) =>
      state.is === 'preparing' ? answered(orderIn(command), { ...state, stock: 'refused' }) : [],
    ),
    on(Delivery.DeliveryScheduled, (order, state) =>
      state.is === 'preparing' ? answered(orderIn(order), { ...state, drop: 'done' }) : [],
    ),
    on.refused(Delivery.ScheduleDelivery, ({ command }, state) =>
      state.is === 'preparing' ? answered(orderIn(command), { ...state, drop: 'refused' }) : [],
    ),
    on(Ordering.OrderCompleted, () => finish()),

    on(Delivery.DeliveryRolledBack, (order, state) =>
      state.is === 'undoing' ? undoNext(orderIn(order), state.goods, state.stock) : [],
    ),
    on(Inventory.InventoryRolledBack, (order, state) =>
      state.is === 'undoing' ? undoCharge(orderIn(order)) : [],
    ),
    on(Payment.PaymentRolledBack, (order, state) =>
      state.is === 'undoing'
        ? send(Ordering.RollBackOrder({ ...orderIn(order), reason: state.reason }))
        : [],
    ),
    on(Ordering.OrderRolledBack, ({ reason }) => finish({ is: 'rolled-back', reason })),
  ],
)
