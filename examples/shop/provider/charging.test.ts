import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Fault, refuse, send } from 'throughline'
import { given } from 'throughline/testing'
import { Payment } from '../contracts.ts'
import { confirmedMoney } from '../payment.ts'
import type { CallOptions, PaymentProvider } from './charging.ts'
import { CardRefused, charging } from './charging.ts'

const order = { orderId: '536365', customerId: 'c:17850' }
const card = 'card-0000000000001'
const requested = Payment.PaymentRequested({ ...order, amountCents: 900, card })
const charged = Payment.PaymentCharged({ ...order, amountCents: 900 })
const confirm = Payment.ConfirmPayment({ ...order, amountCents: 900, paymentId: 'p-1' })

describe('money that a provider moves', () => {
  const charge = (amountCents: number) => Payment.ChargePayment({ ...order, amountCents, card })

  test('is charged once the provider has confirmed it', () => {
    given(confirmedMoney).when(charge(900)).then(requested)
    given(confirmedMoney, requested).when(confirm).then(charged)
  })

  test('is confirmed once', () => {
    given(confirmedMoney, requested, charged).when(confirm).then(refuse('already-charged'))
    given(confirmedMoney).when(confirm).then(refuse('not-requested'))
  })

  test('is requested once, up to the limit, and with a card', () => {
    given(confirmedMoney, requested).when(charge(900)).then(refuse('already-charged'))
    given(confirmedMoney).when(charge(500_001)).then(refuse('payment-limit'))
    const withoutCard = Payment.ChargePayment({ ...order, amountCents: 900 })
    given(confirmedMoney).when(withoutCard).then(refuse('no-card'))
  })

  test('cannot be rolled back before it is charged', () => {
    const rollBack = Payment.RollBackPayment(order)
    given(confirmedMoney, requested).when(rollBack).then(refuse('not-charged'))
  })
})

describe('charging', () => {
  const keys: string[] = []
  const note = ({ key, signal }: CallOptions): void => {
    assert.ok(!signal.aborted)
    keys.push(key)
  }
  const provider: PaymentProvider = {
    charge: async ({ amountCents }, call) => {
      note(call)
      return { paymentId: 'p-1', amountCents }
    },
    refund: async (_, call) => note(call),
  }

  test('confirms what the provider has charged', () =>
    given(charging(), { provider }).when(requested).then(send(confirm)))

  test('calls for each refund of a return with a key of its own', async () => {
    keys.length = 0
    const refunds = ['1', '2'].map((orderId) => ({ orderId, amountCents: 5 }))
    const refunded = Payment.PaymentRefunded({ returnId: 'C1', customerId: 'c:17850', refunds })
    await given(charging(), { provider }).when(refunded).then()
    await given(charging(), { provider })
      .when(Payment.PaymentRolledBack({ ...order, amountCents: 5 }))
      .then()
    assert.equal(new Set(keys).size, 3)
  })

  test('gives up on a refused card only', async () => {
    const failing = (cause: Error) => {
      const charge = (): Promise<never> => Promise.reject(cause)
      return given(charging(), { provider: { ...provider, charge } })
        .when(requested)
        .then()
    }
    const isFinal = (cause: unknown): boolean => cause instanceof Fault && cause.code === 'FINAL'
    await assert.rejects(failing(new CardRefused('malformed')), isFinal)
    await assert.rejects(failing(new Error('down')), (cause) => !isFinal(cause))
  })
})
