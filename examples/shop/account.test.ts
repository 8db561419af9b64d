import { describe, test } from 'node:test'
import { given } from 'throughline/testing'
import { purchases, accountQueries } from './account.ts'
import { Account, Ordering, Payment } from './contracts.ts'

const customerId = 'c:17850'
const lines = [{ sku: '85123A', quantity: 1, unitPriceCents: 900 }]
const confirmed = (orderId: string, totalCents: number, customer = customerId) =>
  Ordering.OrderConfirmed({ orderId, customerId: customer, country: 'EIRE', lines, totalCents })
const charged = (orderId: string, amountCents: number, customer = customerId) =>
  Payment.PaymentCharged({ orderId, customerId: customer, amountCents })
const completed = (orderId: string) => Ordering.OrderCompleted({ orderId, customerId })
const rolledBack = (orderId: string, reason: string) =>
  Ordering.OrderRolledBack({ orderId, customerId, reason })
const refunded = (returnId: string, ...refunds: { orderId: string; amountCents: number }[]) =>
  Payment.PaymentRefunded({ returnId, customerId, refunds })

describe('purchases', () => {
  const purchase = {
    customerId,
    status: 'ordered',
    orderedCents: 900,
    paidCents: 0,
    refundedCents: 0,
  }
  const paid = { ...purchase, paidCents: 900 }

  test('follow an order until it completes', () => {
    given(purchases).when(confirmed('1', 900)).then({ 1: purchase })
    const history = [confirmed('1', 900), charged('1', 900)]
    given(purchases, confirmed('1', 900)).when(charged('1', 900)).then({ 1: paid })
    given(purchases, ...history)
      .when(completed('1'))
      .then({ 1: { ...paid, status: 'completed' } })
  })

  test('show a rolled back order as paid and refunded', () => {
    const back = Payment.PaymentRolledBack({ orderId: '1', customerId, amountCents: 900 })
    given(purchases, confirmed('1', 900), charged('1', 900), back)
      .when(rolledBack('1', 'not-served'))
      .then({ 1: { ...paid, status: 'rolled-back', refundedCents: 900 } })
  })

  test('show nothing as paid for an order whose charge was refused', () => {
    given(purchases, confirmed('1', 900))
      .when(rolledBack('1', 'payment-limit'))
      .then({ 1: { ...purchase, status: 'rolled-back' } })
  })

  test('are the same if the payment arrives before the order', () => {
    const back = refunded('C2', { orderId: '1', amountCents: 300 })
    given(purchases, charged('1', 900), back, confirmed('1', 900))
      .when(completed('1'))
      .then({ 1: { ...paid, status: 'completed', refundedCents: 300 } })
  })

  test('assign a return to the orders that it takes from, and add up', () => {
    const history = [confirmed('1', 900), confirmed('2', 500), charged('1', 900), charged('2', 500)]
    const first = refunded('C3', { orderId: '1', amountCents: 100 })
    given(purchases, ...history, first)
      .when(refunded('C4', { orderId: '2', amountCents: 500 }, { orderId: '1', amountCents: 50 }))
      .then({
        1: { ...paid, refundedCents: 150 },
        2: { ...paid, orderedCents: 500, paidCents: 500, refundedCents: 500 },
      })
  })
})

describe('an account', () => {
  test('sums what its customer ordered, paid and got back', async () => {
    const history = [
      confirmed('1', 900),
      confirmed('2', 500_001),
      confirmed('3', 70, 'c:13047'),
      charged('1', 900),
      charged('3', 70, 'c:13047'),
      completed('1'),
      rolledBack('2', 'payment-limit'),
      refunded('C4', { orderId: '1', amountCents: 300 }),
    ]
    const first = { status: 'completed', orderedCents: 900, paidCents: 900, refundedCents: 300 }
    const second = { status: 'rolled-back', orderedCents: 500_001, paidCents: 0, refundedCents: 0 }
    await given(accountQueries, ...history)
      .when(Account.FindAccount({ customerId }))
      .then({
        customerId,
        orders: [
          { orderId: '1', customerId, ...first },
          { orderId: '2', customerId, ...second },
        ],
        orderedCents: 500_901,
        paidCents: 900,
        refundedCents: 300,
      })
  })

  test('of an unknown customer is empty', async () => {
    await given(accountQueries, confirmed('1', 900))
      .when(Account.FindAccount({ customerId: 'c:1' }))
      .then({ customerId: 'c:1', orders: [], orderedCents: 0, paidCents: 0, refundedCents: 0 })
  })
})
