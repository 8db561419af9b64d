// Payment charges orders up to a limit, and gives money back.
import { entity, queryHandler, refuse, service } from 'throughline'
import type { Refund } from './contracts.ts'
import { Payment } from './contracts.ts'

/** An order's money: what was charged, what went back. */
type Money = { is: 'absent' } | { is: 'charged'; chargedCents: number; refundedCents: number }

const absent = { is: 'absent' } as Money

/** What can still go back. */
const heldCents = (money: Money | undefined): number =>
  money?.is === 'charged' ? money.chargedCents - money.refundedCents : 0

const giveBack = (money: Money, amountCents: number): Money =>
  money.is === 'charged' ? { ...money, refundedCents: money.refundedCents + amountCents } : money

/** What a list of refunds gives back of one order. */
const dueTo = (refunds: readonly Refund[], orderId: string): number =>
  refunds
    .filter((refund) => refund.orderId === orderId)
    .reduce((sum, { amountCents }) => sum + amountCents, 0)

/** A total above the limit is declined; the limit itself passes. */
export const paymentLimitCents = 500_000

export const money = entity(
  'money',
  { of: Payment, id: 'orderId', initial: absent },
  {
    decide: (on) => [
      on(Payment.ChargePayment, (charge, state) => {
        if (state.is === 'charged') return refuse('already-charged')
        if (charge.amountCents > paymentLimitCents) return refuse('payment-limit')
        return Payment.PaymentCharged(charge)
      }),
      on(Payment.RollBackPayment, ({ orderId, customerId }, state) => {
        const amountCents = heldCents(state)
        return amountCents > 0
          ? Payment.PaymentRolledBack({ orderId, customerId, amountCents })
          : refuse('not-charged')
      }),
      on(
        Payment.RefundPayment,
        { ids: ({ refunds }) => refunds.map(({ orderId }) => orderId) },
        (refund, orders) =>
          [...orders].every(
            ([orderId, money]) => dueTo(refund.refunds, orderId) <= heldCents(money),
          )
            ? Payment.PaymentRefunded(refund)
            : refuse('not-charged'),
      ),
    ],
    evolve: (on) => [
      on(Payment.PaymentCharged, ({ amountCents }) => {
        return { is: 'charged', chargedCents: amountCents, refundedCents: 0 }
      }),
      on(Payment.PaymentRolledBack, ({ amountCents }, state) => giveBack(state, amountCents)),
      on(
        Payment.PaymentRefunded,
        { ids: ({ refunds }) => refunds.map(({ orderId }) => orderId) },
        ({ refunds }, state, orderId) => giveBack(state, dueTo(refunds, orderId)),
      ),
    ],
  },
)

export const summing = queryHandler('summing', { of: Payment, reads: [money] }, (on) => [
  on(Payment.SumPayments, async (_, read) => {
    let [chargedCents, refundedCents] = [0, 0]
    for await (const { row } of read(money).all()) {
      if (row.is !== 'charged') continue
      chargedCents += row.chargedCents
      refundedCents += row.refundedCents
    }
    return { chargedCents, refundedCents }
  }),
])

export const payment = service('payment', { owns: [Payment], runs: [money, summing] })
