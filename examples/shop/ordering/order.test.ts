import { test } from 'node:test'
import { refuse } from 'throughline'
import { given } from 'throughline/testing'
import { Ordering } from '../contracts.ts'
import { order } from './order.ts'

const lines = [
  { sku: '85123A', quantity: 6, unitPriceCents: 255 },
  { sku: 'POST', quantity: 2, unitPriceCents: 1_800 },
]
const asked = { orderId: '536365', customerId: 'c:17850', country: 'United Kingdom', lines }
const confirmed = { ...asked, totalCents: 5_130 }
const id = { orderId: asked.orderId, customerId: asked.customerId }

test('an order is confirmed with the sum of all its lines, including charges', () => {
  given(order).when(Ordering.ConfirmOrder(asked)).then(Ordering.OrderConfirmed(confirmed))
})

test('an order is confirmed once, whatever its status', () => {
  const again = Ordering.ConfirmOrder({ ...asked, lines: lines.slice(1) })
  const no = refuse('already-confirmed')
  const before = Ordering.OrderConfirmed(confirmed)
  given(order, before).when(again).then(no)
  given(order, before, Ordering.OrderCompleted(id)).when(again).then(no)
  const rolledBack = Ordering.OrderRolledBack({ ...id, reason: 'not-served' })
  given(order, before, rolledBack).when(again).then(no)
})

test('the id of an order cannot be used again, not even by another customer', () => {
  given(order, Ordering.OrderConfirmed(confirmed))
    .when(Ordering.ConfirmOrder({ ...asked, customerId: 'c:13047' }))
    .then(refuse('already-confirmed'))
})

test('orders with different ids are independent', () => {
  const other = { ...asked, orderId: '536366' }
  given(order, Ordering.OrderConfirmed(confirmed))
    .when(Ordering.ConfirmOrder(other))
    .then(Ordering.OrderConfirmed({ ...confirmed, orderId: '536366' }))
})
