// Payment through a provider outside of the shop: calls go out by a handler, notifications come in by an
// edge. Both confirm a payment, and the one that comes second has no effect.
import type { RetryOptions } from 'throughline'
import { final, handler, seconds, send, service, tool } from 'throughline'
import { edge } from 'throughline/edges'
import { z } from 'zod'
import { account } from '../account.ts'
import { Payment } from '../contracts.ts'
import { delivery } from '../delivery.ts'
import { inventory } from '../inventory.ts'
import { ordering } from '../ordering/service.ts'
import { confirmedMoney, confirmedTotals } from '../payment.ts'

export interface Charge {
  readonly orderId: string
  readonly customerId: string
  readonly card: string
  readonly amountCents: number
}

export type Refund = Omit<Charge, 'card'>

export interface CallOptions {
  /** The provider does the same thing once for each key, however often it is called. */
  readonly key: string
  readonly signal: AbortSignal
}

/** What the shop needs of its payment provider. */
export interface PaymentProvider {
  /** @throws CardRefused */
  charge(
    charge: Charge,
    options: CallOptions,
  ): Promise<{ readonly paymentId: string; readonly amountCents: number }>
  refund(refund: Refund, options: CallOptions): Promise<void>
}

/** The provider will never charge this card. */
export class CardRefused extends Error {
  override readonly name = 'CardRefused'
}

/** How long the handler waits for an answer, and how it tries again. */
export interface ChargingOptions {
  readonly timeoutMs?: number
  readonly retry?: Partial<RetryOptions>
}

/** Enough attempts for half an hour without an answer; after that, each charge is a dead letter. */
const patience = { attempts: 40, delayMs: 200, factor: 2, delayMsMax: seconds(90) }

export const charging = ({ timeoutMs = seconds(1), retry = patience }: ChargingOptions = {}) =>
  handler(
    'charging',
    {
      uses: { provider: tool<PaymentProvider>() },
      sends: [Payment.ConfirmPayment],
      timeoutMs,
      retry,
    },
    (on) => [
      on(Payment.PaymentRequested, async (charge, { provider }, { effectKey: key, signal }) => {
        try {
          const { paymentId, amountCents } = await provider.charge(charge, { key, signal })
          const { orderId, customerId } = charge
          return send(Payment.ConfirmPayment({ orderId, customerId, paymentId, amountCents }))
        } catch (cause) {
          throw cause instanceof CardRefused ? final(cause) : cause
        }
      }),
      on(Payment.PaymentRolledBack, (refund, { provider }, { effectKey: key, signal }) =>
        provider.refund(refund, { key, signal }),
      ),
      on(
        Payment.PaymentRefunded,
        async ({ customerId, refunds }, { provider }, { effectKey, signal }) => {
          // One call for each order, so each needs a key of its own.
          for (const { orderId, amountCents } of refunds) {
            const refund = { orderId, customerId, amountCents }
            await provider.refund(refund, { key: `${effectKey}:${orderId}`, signal })
          }
        },
      ),
    ],
  )

/** The topic of the provider's notifications. */
export const notificationTopic = 'PAYMENT_NOTIFICATIONS'

const Notification = z.object({
  notification_id: z.string(),
  payment_id: z.string(),
  order_id: z.string(),
  customer_id: z.string(),
  amount_cents: z.int(),
})
export type Notification = z.infer<typeof Notification>

export const notifications = edge(
  'payment-notifications',
  { system: 'PAYMENT_PROVIDER', service: 'PAYMENT' },
  {
    receives: (on) => [
      on(
        Payment.ConfirmPayment,
        {
          topic: notificationTopic,
          body: Notification,
          id: ({ notification_id }) => notification_id,
        },
        (body) => ({
          orderId: body.order_id,
          customerId: body.customer_id,
          amountCents: body.amount_cents,
          paymentId: body.payment_id,
        }),
      ),
    ],
  },
)

/** The shop with its payments through a provider; needs the tools `provider` and `transport`. */
export const shopThroughProvider = (options: ChargingOptions = {}, openingStock?: number) => {
  const payment = service('payment', {
    owns: [Payment],
    runs: [confirmedMoney, confirmedTotals, charging(options)],
    edges: [notifications],
  })
  return [ordering, payment, inventory(openingStock), delivery, account] as const
}
