import { describe, test } from 'node:test'
import type { Message } from 'throughline'
import { become, compensate, finish, send } from 'throughline'
import { given } from 'throughline/testing'
import { Delivery, Inventory, Ordering, Payment } from '../contracts.ts'
import { fulfilment } from './fulfilment.ts'

const order = { orderId: '536365', customerId: 'c:17850' }
const country = 'France'
const lines = [
  { sku: '85123A', quantity: 6, unitPriceCents: 255 },
  { sku: 'POST', quantity: 2, unitPriceCents: 1_800 },
  { sku: '85123a', quantity: 1, unitPriceCents: 295 },
  { sku: '85123A', quantity: 4, unitPriceCents: 200 },
]
/** Charges are no goods; lines of one product add up. */
const goods = [
  { sku: '85123A', quantity: 10 },
  { sku: '85123a', quantity: 1 },
]
const totalCents = 6_225

const confirmed = Ordering.OrderConfirmed({ ...order, country, lines, totalCents })
const charged = Payment.PaymentCharged({ ...order, amountCents: totalCents })
const taken = Inventory.InventoryUpdated({
  ...order,
  lines: goods.map((line) => ({ ...line, opening: 0 })),
})
const scheduled = Delivery.DeliveryScheduled({ ...order, country })
const dropBack = Delivery.DeliveryRolledBack(order)
const stockBack = Inventory.InventoryRolledBack({ ...order, lines: goods })
const moneyBack = Payment.PaymentRolledBack({ ...order, amountCents: totalCents })

const charge = { ...order, amountCents: totalCents }
const refused = {
  payment: Payment.ChargePayment.refused({
    code: 'payment-limit',
    issues: [],
    command: charge,
  }),
  stock: Inventory.UpdateInventory.refused({
    code: 'out-of-stock',
    issues: [],
    command: { ...order, lines: goods },
  }),
  drop: Delivery.ScheduleDelivery.refused({
    code: 'not-served',
    issues: [],
    command: { ...order, country },
  }),
}

const undoDrop = compensate(Delivery.RollBackDelivery(order), {
  undoes: Delivery.ScheduleDelivery,
})
const undoStock = compensate(Inventory.RollBackInventory({ ...order, lines: goods }), {
  undoes: Inventory.UpdateInventory,
})
const undoCharge = compensate(Payment.RollBackPayment(order), { undoes: Payment.ChargePayment })
const rollBack = (reason: string) => send(Ordering.RollBackOrder({ ...order, reason }))
const rolledBack = (reason: string) => Ordering.OrderRolledBack({ ...order, reason })

type Branch = 'asked' | 'done' | 'refused'
const preparing = (stock: Branch, drop: Branch) =>
  become({ status: 'preparing', goods, stock, drop })
const undoing = (reason: string, stock: Branch) =>
  become({ status: 'undoing', reason, goods, stock })

/** Fulfilment after the charge and what is given. */
const afterCharge = (...history: Message[]) => given(fulfilment, confirmed, charged, ...history)

describe('an order without refusals', () => {
  test('is charged first', () => {
    given(fulfilment)
      .when(confirmed)
      .then(become({ status: 'charging', goods, country }), send(Payment.ChargePayment(charge)))
  })

  test('then requests stock and delivery in parallel', () => {
    given(fulfilment, confirmed)
      .when(charged)
      .then(
        preparing('asked', 'asked'),
        send(Inventory.UpdateInventory({ ...order, lines: goods })),
        send(Delivery.ScheduleDelivery({ ...order, country })),
      )
  })

  test('then completes once both have answered, in either order', () => {
    const complete = send(Ordering.CompleteOrder(order))
    afterCharge().when(taken).then(preparing('done', 'asked'))
    afterCharge(taken).when(scheduled).then(preparing('done', 'done'), complete)
    afterCharge().when(scheduled).then(preparing('asked', 'done'))
    afterCharge(scheduled).when(taken).then(preparing('done', 'done'), complete)
    afterCharge(taken, scheduled).when(Ordering.OrderCompleted(order)).then(finish())
  })

  test('takes no stock if it has only charges, and passes all steps', () => {
    const postage = [{ sku: 'POST', quantity: 1, unitPriceCents: 1_800 }]
    const asked = { ...order, country, lines: postage, totalCents: 1_800 }
    given(fulfilment, Ordering.OrderConfirmed(asked))
      .when(Payment.PaymentCharged({ ...order, amountCents: 1_800 }))
      .then(
        become({ status: 'preparing', goods: [], stock: 'asked', drop: 'asked' }),
        send(Inventory.UpdateInventory({ ...order, lines: [] })),
        send(Delivery.ScheduleDelivery({ ...order, country })),
      )
  })
})

describe('an order whose charge is refused', () => {
  test('is rolled back without other compensations', () => {
    given(fulfilment, confirmed)
      .when(refused.payment)
      .then(
        become({ status: 'undoing', reason: 'payment-limit', goods: [], stock: 'refused' }),
        rollBack('payment-limit'),
      )
    given(fulfilment, confirmed, refused.payment)
      .when(rolledBack('payment-limit'))
      .then(finish({ status: 'rolled-back', reason: 'payment-limit' }))
  })
})

describe('an order whose delivery is refused', () => {
  const history = [taken, refused.drop]

  test('waits for the answer of inventory before it compensates', () => {
    afterCharge().when(refused.drop).then(preparing('asked', 'refused'))
    afterCharge(taken).when(refused.drop).then(undoing('not-served', 'done'), undoStock)
    afterCharge(refused.drop).when(taken).then(undoing('not-served', 'done'), undoStock)
  })

  test('compensates step by step, each after the answer to the step before', () => {
    afterCharge(...history)
      .when(stockBack)
      .then(undoCharge)
    afterCharge(...history, stockBack)
      .when(moneyBack)
      .then(rollBack('not-served'))
    afterCharge(...history, stockBack, moneyBack)
      .when(rolledBack('not-served'))
      .then(finish({ status: 'rolled-back', reason: 'not-served' }))
  })
})

describe('an order whose stock is refused', () => {
  const history = [scheduled, refused.stock]

  test('waits for the answer of delivery before it compensates', () => {
    afterCharge().when(refused.stock).then(preparing('refused', 'asked'))
    afterCharge(scheduled).when(refused.stock).then(undoing('out-of-stock', 'refused'), undoDrop)
    afterCharge(refused.stock).when(scheduled).then(undoing('out-of-stock', 'refused'), undoDrop)
  })

  test('compensates step by step, without the stock that it never took', () => {
    afterCharge(...history)
      .when(dropBack)
      .then(undoCharge)
    afterCharge(...history, dropBack)
      .when(moneyBack)
      .then(rollBack('out-of-stock'))
    afterCharge(...history, dropBack, moneyBack)
      .when(rolledBack('out-of-stock'))
      .then(finish({ status: 'rolled-back', reason: 'out-of-stock' }))
  })
})

test('an order that both services refuse compensates only the charge', () => {
  afterCharge(refused.stock).when(refused.drop).then(undoing('not-served', 'refused'), undoCharge)
  afterCharge(refused.drop).when(refused.stock).then(undoing('not-served', 'refused'), undoCharge)
  afterCharge(refused.drop, refused.stock).when(moneyBack).then(rollBack('not-served'))
})

test('unexpected answers change nothing', () => {
  given(fulfilment).when(charged).then()
  given(fulfilment, confirmed).when(taken).then()
  given(fulfilment, confirmed).when(scheduled).then()
  afterCharge().when(charged).then()
  for (const back of [dropBack, stockBack, moneyBack]) afterCharge(taken).when(back).then()
  afterCharge(taken, refused.drop).when(scheduled).then()
})
