// What a running system refuses to take from a rule, or to hand to one, fails a test by `given` as well.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { LIMITS } from '../base/limits.ts'
import { contract } from '../contract/contract.ts'
import type { Message } from '../contract/message.ts'
import { command, event } from '../contract/message.ts'
import { after, become, compensate, finish, refuse, retryAfter, send } from '../rules/effect.ts'
import { entity } from '../rules/entity.ts'
import { handler } from '../rules/handler.ts'
import { projection } from '../rules/projection.ts'
import { query } from '../rules/query.ts'
import { type } from '../rules/rule.ts'
import { saga } from '../rules/saga.ts'
import { given } from './given.ts'

const Data = z.object({ orderId: z.string(), customerId: z.string() })
const Skus = z.object({ customerId: z.string(), skus: z.array(z.string()) })
const Ordering = contract(
  'ordering',
  { key: 'customerId' },
  {
    Place: command(Data, { refuses: ['already-placed'] }),
    Reserve: command(Skus),
    Placed: event(Data),
    Reserved: event(Skus),
    Cancelled: event(Data),
    Find: query(z.object({ customerId: z.string() }), { answers: z.array(z.string()) }),
  },
)
const Payments = contract(
  'payments',
  { key: 'customerId' },
  {
    Charge: command(Data, { refuses: ['limit'] }),
    Refund: command(Data),
    Charged: event(Data),
  },
)
const o1 = { orderId: 'o-1', customerId: 'c-1' }
const o2 = { orderId: 'o-2', customerId: 'c-1' }
/** What types forbid, as JavaScript would write it. */
const loose = (value: unknown): never => value as never

/** The claim names what the rule does, so that only a check of the engine can make it fail. */
function fails(claim: () => void, reason: RegExp): void {
  assert.throws(claim, (cause) => isFailure(cause, reason))
}
async function failsLater(claim: Promise<void>, reason: RegExp): Promise<void> {
  await assert.rejects(claim, (cause) => isFailure(cause, reason))
}
function isFailure(cause: unknown, reason: RegExp): boolean {
  assert.ok(cause instanceof assert.AssertionError, `not a failed test: ${String(cause)}`)
  assert.match(cause.message, reason)
  return true
}

describe('given refuses an entity that', () => {
  const deciding = (decision: unknown, evolved: unknown = 1) =>
    entity(
      'order',
      { of: Ordering, id: 'orderId', initial: 0 as number, emits: [Ordering.Placed] },
      {
        decide: (on) => [on(Ordering.Place, () => loose(decision))],
        evolve: (on) => [on(loose(Ordering.Placed), () => loose(evolved))],
      },
    )
  const decides = (decision: unknown, reason: RegExp, evolved?: unknown): void => {
    const expected = Array.isArray(decision) ? (decision as readonly unknown[]) : [decision]
    const claim = given(deciding(decision, evolved)).when(Ordering.Place(o1))
    fails(() => claim.then(...expected), reason)
  }

  test('decides an event that its emits leave out', () => {
    decides(Ordering.Cancelled(o1), /entity order may not publish ordering\.Cancelled/)
  })
  test('evolves by its own decision to undefined', () => {
    const dropping = entity(
      'order',
      { of: Ordering, id: 'orderId', initial: 0 as number },
      {
        decide: (on) => [on(Ordering.Place, () => Ordering.Placed(o1))],
        evolve: (on) => [on(Ordering.Placed, () => loose(undefined))],
      },
    )
    const placed = given(dropping).when(Ordering.Place(o1))
    fails(() => placed.then(Ordering.Placed(o1)), /order evolved to undefined/)
  })
  test('evolves by its own decision to a state that no row can hold', () => {
    decides(Ordering.Placed(o1), /must be plain data, not an instance of a class/, new Date(0))
  })
  test('refuses with complaints that are no texts', () => {
    decides(refuse('already-placed', loose([{ sku: 'a' }])), /complaints of a refusal are/)
  })
  test('decides more events than one unit takes', () => {
    const many = Array.from({ length: LIMITS.messagesPerDecisionMax + 1 }, () =>
      Ordering.Placed(o1),
    )
    decides(many, /a rule returned over [\d,]+ messages/)
  })
  test('is told to decide over an id that is empty', () => {
    const placed = given(deciding(refuse('already-placed'))).when(
      Ordering.Place({ ...o1, orderId: '' }),
    )
    fails(() => placed.then(refuse('already-placed')), /no id in its field orderId: it must not be/)
  })
})

describe('given refuses a message that', () => {
  const counting = projection('counting', { by: 'orderId', row: type<number>() }, (on) => [
    on(Ordering.Placed, (_, count = 0) => count + 1),
    on(Ordering.Place.refused, ({ code }) => code.length),
  ])

  test('has an empty key', () => {
    const placed = given(counting).when(Ordering.Placed({ ...o1, customerId: '' }))
    fails(() => placed.then({ 'o-1': 1 }), /wrong data: customerId must not be empty/)
  })
  test('is a refusal with a code that its contract lacks', () => {
    const refusal = { code: 'sold-out', complaints: [], command: o1 }
    const refused = given(counting).when(Ordering.Place.refused(refusal))
    fails(() => refused.then({ 'o-1': 8 }), /a refusal with the code sold-out/)
  })
  test('names an id that is empty', () => {
    const several = projection('several', { by: 'sku', row: type<number>() }, (on) => [
      on(Ordering.Reserved, { ids: ({ skus }) => skus }, () => 1),
    ])
    const reserved = given(several).when(Ordering.Reserved({ customerId: 'c-1', skus: [''] }))
    fails(
      () => reserved.then({ '': 1 }),
      /an id of a rule for ordering\.Reserved must not be empty/,
    )
  })
})

describe('given refuses a saga that', () => {
  const returning = (effects: unknown) =>
    saga(
      'fulfilment',
      { by: 'orderId', initial: 0 as unknown, sends: [Payments.Charge, Payments.Refund] },
      (on) => [on(Ordering.Placed, () => loose(effects))],
    )
  const steps = (effects: readonly unknown[], reason: RegExp): void => {
    const placed = given(returning(effects)).when(Ordering.Placed(o1))
    fails(() => placed.then(...effects), reason)
  }

  test('sends a command that it does not declare', () => {
    steps([send(Ordering.Place(o1))], /does not declare that it sends ordering\.Place/)
  })
  test('sends a command whose data does not fit its contract', () => {
    steps([send(Payments.Charge(loose({ orderId: 1 })))], /payments\.Charge does not fit/)
  })
  test('sets a timer for a message that it does not declare', () => {
    steps([after(10, Ordering.Placed(o1))], /does not declare that it sends ordering\.Placed/)
  })
  test('sets a timer by a delay that is no number', () => {
    steps([after(Number.NaN, Payments.Charge(o1))], /a delay is a number of milliseconds/)
  })
  test('undoes what it has not sent', () => {
    const undo = compensate(Payments.Refund(o1), { undoes: Payments.Charge })
    steps([undo], /saga fulfilment has sent no payments\.Charge/)
  })
  test('does something after it has finished', () => {
    steps([finish(), send(Payments.Charge(o1))], /does something after finish/)
  })
  test('returns what is no effect', () => {
    steps([Payments.Charge(o1)], /returned something that is no effect/)
  })
  test('becomes a state that no row can hold', () => {
    steps([become(new Date(0))], /must be plain data, not an instance of a class/)
  })
  test('finishes with an outcome that operations have themselves', () => {
    const ending = saga('ending', { by: 'orderId', initial: 0, sends: [] }, (on) => [
      on(Ordering.Placed, () => finish(loose({ is: 'refused' }))),
    ])
    const placed = given(ending).when(Ordering.Placed(o1))
    fails(() => placed.then(), /cannot finish with the outcome refused/)
  })
})

test('given keeps the state of each instance of a saga apart', () => {
  const counting = saga('counting', { by: 'orderId', initial: 0 as number, sends: [] }, (on) => [
    on(Ordering.Placed, (_, count) => become(count + 1)),
  ])
  given(counting, Ordering.Placed(o2)).when(Ordering.Placed(o1)).then(become(1))
  given(counting, Ordering.Placed(o1)).when(Ordering.Placed(o1)).then(become(2))
})

test('given answers the instance of a saga that has sent the command', () => {
  const paying = saga(
    'paying',
    { by: 'orderId', initial: 'new' as string, sends: [Payments.Charge] },
    (on) => [
      on(Ordering.Placed, () => [
        become('charging'),
        send(Payments.Charge({ orderId: 'charge-1', customerId: 'c-1' })),
      ]),
      on.refused(Payments.Charge, (_, state) => become(`${state}, refused`)),
    ],
  )
  const charge = { orderId: 'charge-1', customerId: 'c-1' }
  given(paying, Ordering.Placed(o1))
    .when(Payments.Charge.refused({ code: 'limit', complaints: [], command: charge }))
    .then(become('charging, refused'))
})

describe('given refuses a handler that', () => {
  const returning = (returned: unknown) =>
    handler('telling', { sends: [Payments.Refund] }, (on) => [
      on(Payments.Charged, () => loose(returned)),
    ])
  const returns = (returned: unknown, reason: RegExp): Promise<void> =>
    failsLater(given(returning(returned), {}).when(Payments.Charged(o1)).then(returned), reason)

  test('sends a command that it does not declare', () =>
    returns(send(Payments.Charge(o1)), /handler telling does not declare payments\.Charge/))
  test('sends a command whose data does not fit its contract', () =>
    returns(send(Payments.Refund(loose({}))), /payments\.Refund does not fit its contract/))
  test('returns what is no message', () => returns(1, /handler telling returned number/))
  test('asks to be called later by a delay that is no number', () =>
    returns(retryAfter(Number.NaN), /retryAfter takes a number of milliseconds/))
})

test('given takes a retryAfter that a handler returns or throws', async () => {
  const later = handler('later', {}, (on) => [
    on(Payments.Charged, ({ orderId }) => {
      if (orderId === 'o-1') return retryAfter(20)
      throw retryAfter(30)
    }),
  ])
  await given(later, {}).when(Payments.Charged(o1)).then(retryAfter(20))
  await given(later, {}).when(Payments.Charged(o2)).then(retryAfter(30))
})

describe('given refuses a query that', () => {
  const orders = projection('orders', { by: 'orderId', row: type<{ by: string }>() }, (on) => [
    on(Ordering.Placed, ({ customerId }) => ({ by: customerId })),
  ])
  const asked: Message = Ordering.Find({ customerId: 'c-1' })

  test('gives an answer that does not fit its schema', async () => {
    const counting = query('find', { of: Ordering, reads: [] }, (on) => [
      on(Ordering.Find, () => loose([1])),
    ])
    await failsLater(given(counting).when(asked).then([1]), /the answer to ordering\.Find/)
  })
  test('reads what it does not declare', async () => {
    const reading = query('find', { of: Ordering, reads: [] }, (on) => [
      on(Ordering.Find, async (_, read) => {
        await (read as (readable: typeof orders) => { get(id: string): Promise<unknown> })(
          orders,
        ).get('o-1')
        return []
      }),
    ])
    await failsLater(
      given(reading, Ordering.Placed(o1)).when(asked).then([]),
      /query find does not declare that it reads orders/,
    )
  })
  test('finds by two fields at once', async () => {
    const finding = query('find', { of: Ordering, reads: [orders] }, (on) => [
      on(Ordering.Find, async (_, read) => {
        await read(orders).find(loose({ by: 'c-1', at: 1 }))
        return []
      }),
    ])
    await failsLater(given(finding).when(asked).then([]), /find takes one indexed field/)
  })
})
