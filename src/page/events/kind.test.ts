import assert from 'node:assert/strict'
import { test } from 'node:test'
import { kindOf } from './kind.ts'

test('refusals and what is undone stand out by their names', () => {
  const kinds = [
    ['PAYMENT_CHARGE_ERROR', 'refused'],
    ['payment.ChargeRefused', 'refused'],
    ['ROLL_BACK_PAYMENT', 'undone'],
    ['ORDER_CONFIRMATION_ROLLBACK', 'undone'],
    ['ordering.OrderCancelled', 'undone'],
    ['CONFIRM_ORDER', 'plain'],
    ['ERROR_REPORT_SENT', 'plain'],
  ] as const
  for (const [type, kind] of kinds) assert.equal(kindOf({ type }), kind, type)
})
