import { test } from 'node:test'
import { become, finish, send } from 'throughline'
import { given } from 'throughline/testing'
import { Inventory, Ordering, Payment } from '../contracts.ts'
import { returning } from './returning.ts'

const aReturn = { returnId: 'C536379', customerId: 'c:17850' }
const lines = [
  { orderId: '2', sku: '85123A', quantity: 3, unitPriceCents: 255 },
  { orderId: '2', sku: 'POST', quantity: 1, unitPriceCents: 1_800 },
  { orderId: '1', sku: '85123a', quantity: 1, unitPriceCents: 295 },
  { orderId: '1', sku: '85123A', quantity: 2, unitPriceCents: 200 },
]
const accepted = Ordering.ReturnAccepted({ ...aReturn, lines, refundCents: 3_260 })
const refunds = [
  { orderId: '2', amountCents: 2_565 },
  { orderId: '1', amountCents: 695 },
]
const goods = [
  { sku: '85123A', quantity: 5 },
  { sku: '85123a', quantity: 1 },
]
const refunded = Payment.PaymentRefunded({ ...aReturn, refunds })
const restocked = Inventory.InventoryRestocked({ ...aReturn, lines: goods })

test('money is refunded per order; charges are refunded but not restocked', () => {
  given(returning)
    .when(accepted)
    .then(
      become({ status: 'taking-back', answers: 0 }),
      send(Payment.RefundPayment({ ...aReturn, refunds })),
      send(Inventory.RestockInventory({ ...aReturn, lines: goods })),
    )
})

test('a return of charges only restocks nothing and still gets an answer', () => {
  const postage = lines.filter(({ sku }) => sku === 'POST')
  given(returning)
    .when(Ordering.ReturnAccepted({ ...aReturn, lines: postage, refundCents: 1_800 }))
    .then(
      become({ status: 'taking-back', answers: 0 }),
      send(Payment.RefundPayment({ ...aReturn, refunds: [{ orderId: '2', amountCents: 1_800 }] })),
      send(Inventory.RestockInventory({ ...aReturn, lines: [] })),
    )
})

test('a return is complete once both have answered, in either order', () => {
  const [one, two] = [1, 2].map((answers) => become({ status: 'taking-back', answers }))
  const complete = send(Ordering.CompleteReturn(aReturn))
  given(returning, accepted).when(refunded).then(one)
  given(returning, accepted).when(restocked).then(one)
  given(returning, accepted, refunded).when(restocked).then(two, complete)
  given(returning, accepted, restocked).when(refunded).then(two, complete)
  given(returning, accepted, restocked, refunded)
    .when(Ordering.ReturnCompleted(aReturn))
    .then(finish({ status: 'returned' }))
})

test('a parked return has an instance, which continues once the return is decided', () => {
  const parked = Ordering.ReturnParked({ ...aReturn, lines: goods })
  given(returning)
    .when(parked)
    .then(become({ status: 'parked' }))
  given(returning, parked)
    .when(accepted)
    .then(
      become({ status: 'taking-back', answers: 0 }),
      send(Payment.RefundPayment({ ...aReturn, refunds })),
      send(Inventory.RestockInventory({ ...aReturn, lines: goods })),
    )
  given(returning, parked)
    .when(Ordering.ReturnDeclined({ ...aReturn, reason: 'nothing-to-return' }))
    .then(finish({ status: 'declined', reason: 'nothing-to-return' }))
})

test('answers to a return that was never accepted change nothing', () => {
  given(returning).when(refunded).then()
  given(returning).when(restocked).then()
})
