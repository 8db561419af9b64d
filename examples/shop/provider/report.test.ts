import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { incidents, providerDifferences } from './report.ts'
import type { Movement } from './simulated-provider.ts'

const movement = (kind: Movement['kind'], orderId: string, amountCents: number): Movement => {
  return { kind, key: `${kind}:${orderId}:${amountCents}`, paymentId: 'p', orderId, amountCents }
}

describe("the provider's list", () => {
  const movements = [
    movement('charge', '1', 500),
    movement('refund', '1', 100),
    movement('refund', '1', 50),
    movement('charge', '2', 700),
  ]
  const own = { chargedCents: 1_200, refundedCents: 150 }

  test('agrees with the books if both have the same sums', () => {
    assert.deepEqual(providerDifferences(movements, own), [])
  })

  test('differs in each sum', () => {
    const other = { chargedCents: 1_199, refundedCents: 0 }
    assert.deepEqual(providerDifferences(movements, other), [
      'the provider has charged 1200 cents, the books say 1199',
      'the provider has refunded 150 cents, the books say 0',
    ])
  })

  test('names an order that is charged twice, though the sums agree', () => {
    const twice = [movement('charge', '1', 500), movement('charge', '1', 700)]
    assert.deepEqual(providerDifferences(twice, { chargedCents: 1_200, refundedCents: 0 }), [
      'the provider has charged order 1 more than once',
    ])
  })
})

test('the report says whether the refused card was corrected or given up', () => {
  const card = { orderId: '1', customerId: 'c:1', mistyped: 'card-1O', correct: 'card-10' }
  const reportOf = (movements: readonly Movement[]): string =>
    incidents({
      provider: {
        calls: () => [{ orderId: '1', outcome: 'refused' }],
        movements: () => movements,
        notified: () => [],
      },
      edges: [],
      timedOut: 0,
      card,
      heldBehind: 2,
    }).join('\n')
  assert.match(reportOf([]), /until it was given up\. Messages of c:1 behind it: 2\./)
  assert.match(reportOf([movement('charge', '1', 5)]), /until it was corrected and redriven/)
})
