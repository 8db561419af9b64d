// Values and messages that a running system rejects fail a test with `given`, too.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { LIMITS } from '../base/limits.ts'
import { contract } from '../contract/contract.ts'
import type { Message } from '../contract/message.ts'
import { command, event, query } from '../contract/message.ts'
import { after, become, compensate, finish, refuse, retryAfter, send } from '../rules/effect.ts'
import { entity } from '../rules/entity.ts'
import { handler } from '../rules/handler.ts'
import { projection } from '../rules/projection.ts'
import { queryHandler } from '../rules/query-handler.ts'
import { tool } from '../rules/rule.ts'
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
/** Passes a value that the types forbid. */
const loose = (value: unknown): never => value as never

/** The claim expects what the rule returns, so that only a check of the engine can make it fail. */
function fails(claim: () => void, reason: RegExp): void {
  assert.throws(claim, (cause) => isFailure(cause, reason))
}
async function failsLater(claim: Promise<void>, reason: RegExp): Promise<void> {
  await assert.rejects(claim, (cause) => isFailure(cause, reason))
}
function isFailure(cause: unknown, reason: RegExp): boolean {
  assert.ok(cause instanceof assert.AssertionError, `not an AssertionError: ${String(cause)}`)
  assert.match(cause.message, reason)
  return true
}

describe('given rejects an entity that', () => {
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

  test('returns an event that is not in its emits', () => {
    decides(Ordering.Cancelled(o1), /entity order may not publish ordering\.Cancelled/)
  })
  test('returns undefined from its evolve rule', () => {
    const dropping = entity(
      'order',
      { of: Ordering, id: 'orderId', initial: 0 as number },
      {
        decide: (on) => [on(Ordering.Place, () => Ordering.Placed(o1))],
        evolve: (on) => [on(Ordering.Placed, () => loose(undefined))],
      },
    )
    const placed = given(dropping).when(Ordering.Place(o1))
    fails(() => placed.then(Ordering.Placed(o1)), /the evolve rule of order returned undefined/)
  })
  test('evolves to a state that cannot be stored', () => {
    decides(Ordering.Placed(o1), /must be plain data, not an instance of a class/, new Date(0))
  })
  test('refuses with issues that are not { path, message }', () => {
    decides(refuse('already-placed', loose([{ sku: 'a' }])), /issues of a refusal must be/)
  })
  test('returns more events than the limit', () => {
    const many = Array.from({ length: LIMITS.messagesPerDecisionMax + 1 }, () =>
      Ordering.Placed(o1),
    )
    decides(many, /a rule returned over [\d,]+ messages/)
  })
  test('gets a command with an empty id', () => {
    const placed = given(deciding(refuse('already-placed'))).when(
      Ordering.Place({ ...o1, orderId: '' }),
    )
    fails(() => placed.then(refuse('already-placed')), /no id in its field orderId: it must not be/)
  })
})

describe('given rejects a message that', () => {
  const counting = projection('counting', { by: 'orderId', row: tool<number>() }, (on) => [
    on(Ordering.Placed, (_, count = 0) => count + 1),
    on(Ordering.Place.refused, ({ code }) => code.length),
  ])

  test('has an empty key', () => {
    const placed = given(counting).when(Ordering.Placed({ ...o1, customerId: '' }))
    fails(() => placed.then({ 'o-1': 1 }), /invalid data: customerId must not be empty/)
  })
  test('is a refusal with a code that its contract does not declare', () => {
    const refusal = { code: 'sold-out', issues: [], command: o1 }
    const refused = given(counting).when(Ordering.Place.refused(refusal))
    fails(() => refused.then({ 'o-1': 8 }), /a refusal with the code sold-out/)
  })
  test('has an empty id', () => {
    const several = projection('several', { by: 'sku', row: tool<number>() }, (on) => [
      on(Ordering.Reserved, { ids: ({ skus }) => skus }, () => 1),
    ])
    const reserved = given(several).when(Ordering.Reserved({ customerId: 'c-1', skus: [''] }))
    fails(
      () => reserved.then({ '': 1 }),
      /an id of a rule for ordering\.Reserved must not be empty/,
    )
  })
})

describe('given rejects a saga that', () => {
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

  test('sends a command without declaring it', () => {
    steps([send(Ordering.Place(o1))], /sent ordering\.Place without declaring it/)
  })
  test('sends a command with invalid data', () => {
    steps([send(Payments.Charge(loose({ orderId: 1 })))], /payments\.Charge does not fit/)
  })
  test('sets a timer for a message without declaring it', () => {
    steps([after(10, Ordering.Placed(o1))], /sent ordering\.Placed without declaring it/)
  })
  test('sets a timer with a delay that is not a number', () => {
    steps([after(Number.NaN, Payments.Charge(o1))], /a delay must be a number of milliseconds/)
  })
  test('compensates a command that it has not sent', () => {
    const undo = compensate(Payments.Refund(o1), { undoes: Payments.Charge })
    steps([undo], /saga fulfilment cannot compensate payments\.Charge/)
  })
  test('returns an effect after finish', () => {
    steps([finish(), send(Payments.Charge(o1))], /returned an effect after finish/)
  })
  test('returns a value that is not an effect', () => {
    steps([Payments.Charge(o1)], /returned a value that is not an effect/)
  })
  test('changes to a state that cannot be stored', () => {
    steps([become(new Date(0))], /must be plain data, not an instance of a class/)
  })
  test('finishes with a status that operations use themselves', () => {
    const ending = saga('ending', { by: 'orderId', initial: 0, sends: [] }, (on) => [
      on(Ordering.Placed, () => finish(loose({ status: 'refused' }))),
    ])
    const placed = given(ending).when(Ordering.Placed(o1))
    fails(() => placed.then(), /cannot finish with the status refused/)
  })
})

test('given keeps a separate state for each instance of a saga', () => {
  const counting = saga('counting', { by: 'orderId', initial: 0 as number, sends: [] }, (on) => [
    on(Ordering.Placed, (_, count) => become(count + 1)),
  ])
  given(counting, Ordering.Placed(o2)).when(Ordering.Placed(o1)).then(become(1))
  given(counting, Ordering.Placed(o1)).when(Ordering.Placed(o1)).then(become(2))
})

test('given delivers a refusal to the saga instance that sent the command', () => {
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
    .when(Payments.Charge.refused({ code: 'limit', issues: [], command: charge }))
    .then(become('charging, refused'))
})

describe('given rejects a handler that', () => {
  const returning = (returned: unknown) =>
    handler('telling', { sends: [Payments.Refund] }, (on) => [
      on(Payments.Charged, () => loose(returned)),
    ])
  const returns = (returned: unknown, reason: RegExp): Promise<void> =>
    failsLater(given(returning(returned), {}).when(Payments.Charged(o1)).then(returned), reason)

  test('sends a command without declaring it', () =>
    returns(
      send(Payments.Charge(o1)),
      /handler telling returned payments\.Charge without declaring it/,
    ))
  test('sends a command with invalid data', () =>
    returns(send(Payments.Refund(loose({}))), /payments\.Refund does not fit its contract/))
  test('returns a value that is not a message', () => returns(1, /handler telling returned number/))
  test('returns retryAfter with a delay that is not a number', () =>
    returns(retryAfter(Number.NaN), /retryAfter takes a number of milliseconds/))
})

test('given accepts a retryAfter that a handler returns or throws', async () => {
  const later = handler('later', {}, (on) => [
    on(Payments.Charged, ({ orderId }) => {
      if (orderId === 'o-1') return retryAfter(20)
      throw retryAfter(30)
    }),
  ])
  await given(later, {}).when(Payments.Charged(o1)).then(retryAfter(20))
  await given(later, {}).when(Payments.Charged(o2)).then(retryAfter(30))
})

describe('given rejects a query handler that', () => {
  const orders = projection('orders', { by: 'orderId', row: tool<{ by: string }>() }, (on) => [
    on(Ordering.Placed, ({ customerId }) => ({ by: customerId })),
  ])
  const asked: Message = Ordering.Find({ customerId: 'c-1' })

  test('returns an answer that does not match its schema', async () => {
    const counting = queryHandler('find', { of: Ordering, reads: [] }, (on) => [
      on(Ordering.Find, () => loose([1])),
    ])
    await failsLater(given(counting).when(asked).then([1]), /the answer to ordering\.Find/)
  })
  test('reads a projection without declaring it', async () => {
    const reading = queryHandler('find', { of: Ordering, reads: [] }, (on) => [
      on(Ordering.Find, async (_, read) => {
        await (read as (readable: typeof orders) => { get(id: string): Promise<unknown> })(
          orders,
        ).get('o-1')
        return []
      }),
    ])
    await failsLater(
      given(reading, Ordering.Placed(o1)).when(asked).then([]),
      /query find read orders without declaring it/,
    )
  })
  test('searches by two fields at once', async () => {
    const finding = queryHandler('find', { of: Ordering, reads: [orders] }, (on) => [
      on(Ordering.Find, async (_, read) => {
        await read(orders).find(loose({ by: 'c-1', at: 1 }))
        return []
      }),
    ])
    await failsLater(given(finding).when(asked).then([]), /find takes one indexed field/)
  })
})
