// Payment charges orders up to a limit, and refunds them: in its own books alone, or through a payment
// provider outside of the shop, which then has to confirm each charge.
import { entity, queryHandler, refuse, service } from 'throughline'
import type { Refund } from './contracts.ts'
import { Payment } from './contracts.ts'

/** What was charged for an order, and what was refunded. */
type Money =
  | { status: 'absent' }
  | { status: 'requested' }
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

/** Who moves the money of a charge. */
export type PaidThrough = 'books' | 'provider'

const moneyEntity = (paidThrough: PaidThrough) =>
  entity(
    'money',
    { of: Payment, id: 'orderId', initial: absent },
    {
      decide: (on) => [
        on(Payment.ChargePayment, ({ card, ...charge }, state) => {
          if (state.status !== 'absent') return refuse('already-charged')
          if (charge.amountCents > paymentLimitCents) return refuse('payment-limit')
          if (paidThrough === 'books') return Payment.PaymentCharged(charge)
          return card === undefined
            ? refuse('no-card')
            : Payment.PaymentRequested({ ...charge, card })
        }),
        on(Payment.ConfirmPayment, ({ orderId, customerId, amountCents }, { status }) => {
          if (status === 'charged') return refuse('already-charged')
          return status === 'requested'
            ? Payment.PaymentCharged({ orderId, customerId, amountCents })
            : refuse('not-requested')
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
        on(Payment.PaymentRequested, () => ({ status: 'requested' })),
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

const totalsOf = (money: ReturnType<typeof moneyEntity>) =>
  queryHandler('payment-totals', { of: Payment, reads: [money] }, (on) => [
    on(Payment.SumPayments, async (_, read) => {
      let [chargedCents, refundedCents] = [0, 0]
      for await (const { row } of read(money).all()) {
        if (row.status !== 'charged') continue
        chargedCents += row.chargedCents
        refundedCents += row.refundedCents
      }
      return { chargedCents, refundedCents }
    }),
  ])

export const money = moneyEntity('books')
export const paymentTotals = totalsOf(money)
export const payment = service('payment', { owns: [Payment], runs: [money, paymentTotals] })

/** Charges wait for the provider. An order needs a card. */
export const confirmedMoney = moneyEntity('provider')
export const confirmedTotals = totalsOf(confirmedMoney)
