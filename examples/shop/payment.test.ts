import { describe, test } from 'node:test'
import { refuse } from 'throughline'
import { given } from 'throughline/testing'
import { Payment } from './contracts.ts'
import { money, paymentLimitCents, paymentTotals } from './payment.ts'

const order = { orderId: '536365', customerId: 'c:17850' }
const charged = (amountCents: number, orderId = order.orderId) =>
  Payment.PaymentCharged({ ...order, orderId, amountCents })
const rolledBack = (amountCents: number) => Payment.PaymentRolledBack({ ...order, amountCents })
const aReturn = { returnId: 'C536379', customerId: order.customerId }
const refund = (...amounts: [orderId: string, amountCents: number][]) => ({
  ...aReturn,
  refunds: amounts.map(([orderId, amountCents]) => ({ orderId, amountCents })),
})

describe('charging', () => {
  const charge = (amountCents: number) => Payment.ChargePayment({ ...order, amountCents })

  test('the limit is 5,000.00, inclusive', () => {
    given(money).when(charge(1)).then(charged(1))
    given(money).when(charge(500_000)).then(charged(500_000))
    given(money).when(charge(500_001)).then(refuse('payment-limit'))
    given(money).when(charge(16_846_960)).then(refuse('payment-limit'))
    given(money).when(charge(paymentLimitCents)).then(charged(500_000))
  })

  test('an order is charged once, also after it was refunded', () => {
    given(money, charged(900)).when(charge(900)).then(refuse('already-charged'))
    const history = [charged(900), rolledBack(900)]
    given(money, ...history)
      .when(charge(900))
      .then(refuse('already-charged'))
  })
})

describe('rolling back', () => {
  const rollBack = Payment.RollBackPayment(order)

  test('refunds the charge once', () => {
    given(money, charged(900)).when(rollBack).then(rolledBack(900))
    given(money, charged(900), rolledBack(900)).when(rollBack).then(refuse('not-charged'))
    given(money).when(rollBack).then(refuse('not-charged'))
  })

  test('refunds what earlier refunds have left', () => {
    const history = [charged(900), Payment.PaymentRefunded(refund(['536365', 200]))]
    given(money, ...history)
      .when(rollBack)
      .then(rolledBack(700))
  })
})

describe('refunding', () => {
  const history = [charged(900), charged(500, '536373')]

  test('refunds several orders at once, up to what was charged', () => {
    const all = refund(['536365', 900], ['536373', 500])
    given(money, ...history)
      .when(Payment.RefundPayment(all))
      .then(Payment.PaymentRefunded(all))
    const again = Payment.RefundPayment(refund(['536373', 1]))
    given(money, ...history, Payment.PaymentRefunded(all))
      .when(again)
      .then(refuse('not-charged'))
  })

  test('refunds nothing if one order is not covered', () => {
    for (const wrong of [
      refund(['536365', 900], ['536373', 501]),
      refund(['536365', 901], ['536373', 500]),
      refund(['536365', 900], ['536374', 1]),
    ])
      given(money, ...history)
        .when(Payment.RefundPayment(wrong))
        .then(refuse('not-charged'))
  })

  test('refunds of one order add up over several returns', () => {
    const [first, second] = [refund(['536365', 600]), refund(['536365', 300])]
    const after = [...history, Payment.PaymentRefunded(first)]
    given(money, ...after)
      .when(Payment.RefundPayment(second))
      .then(Payment.PaymentRefunded(second))
    given(money, ...after)
      .when(Payment.RefundPayment(refund(['536365', 301])))
      .then(refuse('not-charged'))
  })

  test('two refunds of one order within one return cannot exceed what was charged', () => {
    const twice = refund(['536365', 600], ['536365', 600])
    given(money, ...history)
      .when(Payment.RefundPayment(twice))
      .then(refuse('not-charged'))
  })
})

test('the sums are gross: refunded includes what was rolled back', async () => {
  const history = [
    charged(900),
    charged(500, '536373'),
    charged(10, '536374'),
    rolledBack(900),
    Payment.PaymentRefunded(refund(['536373', 200], ['536374', 10])),
  ]
  await given(paymentTotals, ...history)
    .when(Payment.SumPayments({}))
    .then({ chargedCents: 1_410, refundedCents: 1_110 })
  await given(paymentTotals)
    .when(Payment.SumPayments({}))
    .then({ chargedCents: 0, refundedCents: 0 })
})
