// Payment charges orders up to a limit, and refunds them.
import { entity, queryHandler, refuse, service } from 'throughline'
import type { Refund } from './contracts.ts'
import { Payment } from './contracts.ts'

/** What was charged for an order, and what was refunded. */
type Money =
  | { status: 'absent' }
  | { status: 'charged'; chargedCents: number; refundedCents: number }

const absent = { status: 'absent' } as Money

/** What can still be refunded. */
const heldCents = (money: Money | undefined): number =>
  money?.status === 'charged' ? money.chargedCents - money.refundedCents : 0

const giveBack = (money: Money, amountCents: number): Money =>
  money.status === 'charged'
    ? { ...money, refundedCents: money.refundedCents + amountCents }
    : money

/** What a list of refunds pays back for one order. */
const dueTo = (refunds: readonly Refund[], orderId: string): number =>
  refunds
    .filter((refund) => refund.orderId === orderId)
    .reduce((sum, { amountCents }) => sum + amountCents, 0)

/** A charge above the limit is refused; the limit itself is allowed. */
export const paymentLimitCents = 500_000

export const money = entity(
  'money',
  { of: Payment, id: 'orderId', initial: absent },
  {
    decide: (on) => [
      on(Payment.ChargePayment, (charge, state) => {
        if (state.status === 'charged') return refuse('already-charged')
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
        return { status: 'charged', chargedCents: amountCents, refundedCents: 0 }
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

export const paymentTotals = queryHandler(
  'payment-totals',
  { of: Payment, reads: [money] },
  (on) => [
    on(Payment.SumPayments, async (_, read) => {
      let [chargedCents, refundedCents] = [0, 0]
      for await (const { row } of read(money).all()) {
        if (row.status !== 'charged') continue
        chargedCents += row.chargedCents
        refundedCents += row.refundedCents
      }
      return { chargedCents, refundedCents }
    }),
  ],
)

export const payment = service('payment', { owns: [Payment], runs: [money, paymentTotals] })
