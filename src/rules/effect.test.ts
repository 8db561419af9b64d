import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { entity, service } from 'throughline'
import type { Simulation } from 'throughline/testing'
import { simulate } from 'throughline/testing'
import { z } from 'zod'
import { contract } from '../contract/contract.ts'
import { command, event } from '../contract/message.ts'
import { after, become, COMPLETED, compensate, finish, toList, refuse, send } from './effect.ts'

const Data = z.object({ customerId: z.string() })
const Payments = contract(
  'payments',
  { key: 'customerId' },
  {
    Charge: command(Data),
    Refund: command(Data),
  },
)
const charge = Payments.Charge({ customerId: 'c-1' })
const refund = Payments.Refund({ customerId: 'c-1' })

const effects: Readonly<Record<string, readonly [made: unknown, plain: unknown]>> = {
  'a refusal': [refuse('limit'), { effect: 'refuse', code: 'limit', issues: [] }],
  'a refusal with issues': [
    refuse('limit', ['over 5,000']),
    { effect: 'refuse', code: 'limit', issues: [{ path: '', message: 'over 5,000' }] },
  ],
  'a next state': [become({ is: 'charging' }), { effect: 'become', state: { is: 'charging' } }],
  'a send': [send(charge), { effect: 'send', message: charge }],
  'a timer': [after(1_500, charge), { effect: 'after', delayMs: 1_500, message: charge }],
  'a compensation': [
    compensate(refund, { undoes: Payments.Charge }),
    {
      effect: 'compensate',
      message: refund,
      undoes: { contract: 'payments', name: 'Charge' },
    },
  ],
  'an end': [finish(), { effect: 'finish', outcome: { status: 'completed' } }],
  'an end with an outcome': [
    finish({ status: 'rolled-back', reason: 'limit' }),
    { effect: 'finish', outcome: { status: 'rolled-back', reason: 'limit' } },
  ],
}

for (const [name, [made, plain]] of Object.entries(effects))
  describe(name, () => {
    test('is a plain value that survives JSON unchanged', () => {
      assert.deepEqual(made, plain)
      assert.deepEqual(JSON.parse(JSON.stringify(made)), plain)
    })

    test('is frozen', () => {
      assert.ok(Object.isFrozen(made))
    })
  })

describe('what a rule returns', () => {
  test('is read as an array, whether it is one value, several or none', () => {
    assert.deepEqual(toList(undefined), [])
    assert.deepEqual(toList(charge), [charge])
    assert.deepEqual(toList([]), [])
    assert.deepEqual(toList([charge, refund]), [charge, refund])
  })

  test('of a finishing saga is the shared frozen outcome', () => {
    assert.equal(finish().outcome, COMPLETED)
    assert.ok(Object.isFrozen(COMPLETED))
  })
})

describe('a decision', () => {
  const Data = z.object({ orderId: z.string(), customerId: z.string() })
  const Ordering = contract(
    'ordering',
    { key: 'customerId' },
    { Place: command(Data, { refuses: ['closed'] }), Placed: event(Data) },
  )
  const Other = contract('other', { key: 'customerId' }, { Done: event(Data) })
  const place = Ordering.Place({ orderId: 'o-1', customerId: 'c-1' })

  /** A world with one entity, which decides what it is told, without the help of types. */
  const worldOf = (decided: unknown): Promise<Simulation> => {
    const options = { of: Ordering, id: 'orderId', initial: null }
    const order = entity('order', options, {
      decide: (on) => [on(Ordering.Place, () => decided as never)],
      evolve: (on) => [on(Ordering.Placed as never, () => null)],
    })
    return simulate([service('shop', { owns: [Ordering], runs: [order] })], { seed: 1 })
  }

  test('that refuses with a code of the contract is an answer', async () => {
    await using app = await worldOf(refuse('closed', ['since noon']))
    const operation = await app.send(place)
    const accepted = await app.until(operation.accepted())
    assert.deepEqual(accepted, {
      status: 'refused',
      code: 'closed',
      issues: [{ path: '', message: 'since noon' }],
    })
    assert.deepEqual(app.faults(), [])
  })

  const wrong: Readonly<Record<string, readonly [unknown, RegExp]>> = {
    'refuses with a code that the contract lacks': [
      refuse('too-late'),
      /RULE_RETURNED.*ordering\.Place cannot be refused with too-late: add the code to refuses of its contract/,
    ],
    'publishes an event of another contract': [
      Other.Done({ orderId: 'o-1', customerId: 'c-1' }),
      /RULE_RETURNED.*order may not publish other\.Done/,
    ],
    'sends a command': [send(place), /RULE_RETURNED.*order may not publish/],
    'is an event that does not fit its contract': [
      Ordering.Placed({ orderId: 'o-1' } as never),
      /RULE_RETURNED.*ordering\.Placed does not fit its contract/,
    ],
    'is null': [null, /RULE_RETURNED.*order may not publish/],
  }
  for (const [symptom, [decided, error]] of Object.entries(wrong))
    test(`that ${symptom} is a fault`, async () => {
      await using app = await worldOf(decided)
      await app.send(place)
      await app.advance(1_000)
      const [fault] = app.faults()
      assert.equal(fault?.consumer, 'shop/order')
      assert.match(fault?.error ?? '', error)
      const types = (await app.messages()).map(({ type: each }) => each)
      assert.deepEqual(types, ['ordering.Place'])
    })
})

describe('a saga that finishes with a reserved status', () => {
  for (const is of ['refused', 'pending', 'accepted', 'failed', undefined])
    test(`${is} is refused`, () => {
      assert.throws(() => finish({ is } as never), {
        code: 'RULE_RETURNED',
        message:
          /cannot finish with the status (refused|pending|accepted|failed|undefined): .*another name/,
      })
    })
})
