// Account subscribes to orders and payments and answers what a customer ordered, paid and got back.
import { projection, queryHandler, service, tool } from 'throughline'
import { Account, Ordering, Payment } from './contracts.ts'

/** One order, as its customer's account shows it. */
interface Purchase {
  readonly customerId: string
  readonly status: 'ordered' | 'completed' | 'rolled-back'
  readonly orderedCents: number
  readonly paidCents: number
  readonly refundedCents: number
}

/** A payment may arrive before its order, since they come from different topics. */
const purchaseOf = (customerId: string, row: Purchase | undefined): Purchase =>
  row ?? { customerId, status: 'ordered', orderedCents: 0, paidCents: 0, refundedCents: 0 }

export const purchases = projection(
  'purchases',
  { by: 'orderId', row: tool<Purchase>(), indexes: ['customerId'], version: 2 },
  (on) => [
    on(Ordering.OrderConfirmed, ({ customerId, totalCents }, row) => ({
      ...purchaseOf(customerId, row),
      orderedCents: totalCents,
    })),
    on(Ordering.OrderCompleted, ({ customerId }, row) => ({
      ...purchaseOf(customerId, row),
      status: 'completed',
    })),
    on(Ordering.OrderRolledBack, ({ customerId }, row) => ({
      ...purchaseOf(customerId, row),
      status: 'rolled-back',
    })),
    on(Payment.PaymentCharged, ({ customerId, amountCents }, row) => ({
      ...purchaseOf(customerId, row),
      paidCents: amountCents,
    })),
    on(Payment.PaymentRolledBack, ({ customerId, amountCents }, row) => {
      const purchase = purchaseOf(customerId, row)
      return { ...purchase, refundedCents: purchase.refundedCents + amountCents }
    }),
    on(
      Payment.PaymentRefunded,
      { ids: ({ refunds }) => refunds.map(({ orderId }) => orderId) },
      ({ customerId, refunds }, row, id) => {
        const purchase = purchaseOf(customerId, row)
        const refundedCents = refunds
          .filter(({ orderId }) => orderId === id)
          .reduce((sumCents, { amountCents }) => sumCents + amountCents, purchase.refundedCents)
        return { ...purchase, refundedCents }
      },
    ),
  ],
)

export const accountQueries = queryHandler(
  'account-queries',
  { of: Account, reads: [purchases] },
  (on) => [
    on(Account.FindAccount, async ({ customerId }, read) => {
      const { rows } = await read(purchases).find({ customerId }, { limit: 10_000 })
      const orders = rows.map(({ id: orderId, row }) => ({ orderId, ...row }))
      const sum = (of: 'orderedCents' | 'paidCents' | 'refundedCents'): number =>
        orders.reduce((sumCents, order) => sumCents + order[of], 0)
      return {
        customerId,
        orders,
        orderedCents: sum('orderedCents'),
        paidCents: sum('paidCents'),
        refundedCents: sum('refundedCents'),
      }
    }),
  ],
)

export const account = service('account', { owns: [Account], runs: [purchases, accountQueries] })
