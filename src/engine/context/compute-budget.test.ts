import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { SlowRule } from './compute-budget.ts'
import { createComputeBudget, slowRuleText } from './compute-budget.ts'

/** A budget of 100 ms over a clock that is set by hand, and counts how often it is looked at. */
function stage() {
  const told: SlowRule[] = []
  const clock = { ms: 0, looks: 0 }
  const elapsed = (): number => {
    clock.looks += 1
    return clock.ms
  }
  const budget = createComputeBudget(
    { elapsed },
    { ruleBudgetMs: 100, unitComputeMsMax: 200 },
    {
      onSlowRule: (rule) => void told.push(rule),
      onSlowUnits: () => undefined,
    },
  )
  const run = (
    tookMs: number,
    id: string,
    consumer = 'office/letter',
    wire = 'post.Write',
  ): void => {
    clock.ms += tookMs
    budget.end({
      subscription: { consumer: { name: consumer }, messageType: { wire } },
      inbound: { envelope: { id, key: `key of ${id}` } },
    })
  }
  return { told, clock, budget, run }
}

describe('the compute budget', () => {
  test('is not exceeded by a run of exactly its length', () => {
    const { told, budget, run } = stage()
    budget.begin()
    run(100, 'm-1')
    run(0, 'm-2')
    assert.deepEqual(budget.slowRules(), [])
    assert.deepEqual(told, [])
  })

  test('counts every run that exceeds it, and keeps the worst', () => {
    const { budget, run } = stage()
    budget.begin()
    for (const [tookMs, id] of [
      [101, 'm-1'],
      [50, 'm-2'],
      [300, 'm-3'],
      [200, 'm-4'],
    ] as const)
      run(tookMs, id)
    assert.deepEqual(budget.slowRules(), [
      {
        consumer: 'office/letter',
        type: 'post.Write',
        budgetMs: 100,
        count: 3,
        worst: { tookMs: 300, messageId: 'm-3', key: 'key of m-3' },
      },
    ])
  })

  test('is reported once per rule and message type', () => {
    const { told, budget, run } = stage()
    budget.begin()
    run(200, 'm-1')
    run(300, 'm-2')
    run(200, 'm-3', 'office/letter', 'post.Deliver')
    run(200, 'm-4', 'office/postmen')
    run(200, 'm-5', 'office/postmen')
    assert.deepEqual(
      told.map(({ consumer, type, count, worst }) => [consumer, type, count, worst.messageId]),
      [
        ['office/letter', 'post.Write', 1, 'm-1'],
        ['office/letter', 'post.Deliver', 1, 'm-3'],
        ['office/postmen', 'post.Write', 1, 'm-4'],
      ],
    )
  })

  test('does not count waiting before a run', () => {
    const { clock, budget, run } = stage()
    clock.ms += 1_000
    budget.begin()
    run(10, 'm-1')
    assert.deepEqual(budget.slowRules(), [])
  })

  test('reads the clock once per run', () => {
    const { clock, budget, run } = stage()
    budget.begin()
    const before = clock.looks
    for (let at = 0; at < 10; at += 1) run(1, `m-${at}`)
    assert.equal(clock.looks - before, 10)
  })

  test('has a sentence with the ids and the fix', () => {
    const { told, budget, run } = stage()
    budget.begin()
    run(340.4, 'm-1')
    assert.equal(
      slowRuleText(told[0] as SlowRule),
      'office/letter took 340 ms on post.Write m-1 of key of m-1, over its budget of 100 ms, and ' +
        'blocked the event loop: do less in the rule, or use a handler with a thread',
    )
  })
})
