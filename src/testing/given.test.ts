import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { contract } from '../contract/contract.ts'
import { command, event, query } from '../contract/message.ts'
import { after, become, compensate, finish, refuse, send } from '../rules/effect.ts'
import { entity } from '../rules/entity.ts'
import { handler } from '../rules/handler.ts'
import { projection } from '../rules/projection.ts'
import { queryHandler } from '../rules/query-handler.ts'
import { tool } from '../rules/rule.ts'
import { saga } from '../rules/saga.ts'
import { given } from './given.ts'

const Data = z.object({ orderId: z.string(), customerId: z.string() })
const Skus = z.object({ customerId: z.string(), skus: z.array(z.string()) })
const key = 'customerId'
const Ordering = contract(
  'ordering',
  { key },
  {
    Place: command(Data, { refuses: ['already-placed'] }),
    Placed: event(Data),
    Cancelled: event(Data),
    Reserve: command(Skus, { refuses: ['sold-out'] }),
    Reserved: event(Skus),
    Find: query(z.object({ customerId: z.string() }), { answers: z.array(z.string()) }),
  },
)
const Payments = contract(
  'payments',
  { key },
  {
    Charge: command(Data, { refuses: ['limit'] }),
    Refund: command(Data),
    Charged: event(Data),
  },
)
const o1 = { orderId: 'o-1', customerId: 'c-1' }
const o2 = { orderId: 'o-2', customerId: 'c-1' }

type Order = { is: 'absent' } | { is: 'open' } | { is: 'cancelled' }
const order = entity(
  'order',
  { of: Ordering, id: 'orderId', initial: { is: 'absent' } as Order },
  {
    decide: (on) => [
      on(Ordering.Place, (place, state) =>
        state.is === 'absent' ? Ordering.Placed(place) : refuse('already-placed', [state.is]),
      ),
    ],
    evolve: (on) => [on(Ordering.Placed, () => ({ is: 'open' }))],
  },
)
const skusOf = { ids: ({ skus }: { skus: readonly string[] }): readonly string[] => skus }
const stock = entity(
  'stock',
  { of: Ordering, id: 'sku', initial: 2 as number },
  {
    decide: (on) => [
      on(Ordering.Reserve, skusOf, (reserve, states) => {
        const missing = [...states].filter(([, left]) => left === 0).map(([sku]) => sku)
        return missing.length > 0 ? refuse('sold-out', missing) : Ordering.Reserved(reserve)
      }),
    ],
    evolve: (on) => [on(Ordering.Reserved, skusOf, (_event, left) => left - 1)],
  },
)
const fulfilment = saga(
  'fulfilment',
  {
    by: 'orderId',
    initial: { is: 'new' } as { is: 'new' } | { is: 'charging' },
    sends: [Payments.Charge, Payments.Refund],
  },
  (on) => [
    on(Ordering.Placed, (placed) => [
      become({ is: 'charging' }),
      send(Payments.Charge(placed)),
      after(1_000, Payments.Refund(placed)),
    ]),
    on(Ordering.Cancelled, (cancelled, { is }) =>
      is === 'charging' ? compensate(Payments.Refund(cancelled), { undoes: Payments.Charge }) : [],
    ),
    on(Payments.Charged, () => finish()),
    on.refused(Payments.Charge, ({ code }) => finish({ status: 'rolled-back', reason: code })),
  ],
)
const openOrders = projection(
  'open-orders',
  { by: 'orderId', row: tool<{ customerId: string }>(), indexes: ['customerId'] },
  (on) => [
    on(Ordering.Placed, ({ customerId }) => ({ customerId })),
    on(Ordering.Cancelled, () => undefined),
    on(Ordering.Place.refused, ({ code }, row) => row && { ...row, customerId: code }),
  ],
)
const sales = projection('sales', { by: 'sku', row: tool<number>() }, (on) => [
  on(Ordering.Reserved, skusOf, (_event, count = 0) => count + 1),
])
interface Mail {
  post(to: string, key: string): Promise<void>
}
const receipts = handler(
  'receipts',
  { uses: { mail: tool<Mail>() }, sends: [Payments.Refund] },
  (on) => [
    on(Payments.Charged, async (charged, { mail }, { effectKey }) => {
      await mail.post(charged.customerId, effectKey)
      return charged.orderId === 'o-2' ? send(Payments.Refund(charged)) : undefined
    }),
  ],
)
const find = queryHandler('find', { of: Ordering, reads: [openOrders, order] }, (on) => [
  on(Ordering.Find, async ({ customerId }, read) => {
    const { rows } = await read(openOrders).find({ customerId })
    const found: string[] = []
    for (const { id } of rows) found.push(`${id} ${(await read(order).get(id))?.is}`)
    for await (const { id } of read(openOrders).all()) found.push(id)
    found.push(`${(await read(order).get('o-9'))?.is}`)
    return found
  }),
])

/** What is claimed is wrong, or cannot be, and the test says so. */
function mustFail(claim: () => void, message?: RegExp): void {
  assert.throws(claim, (cause) => isFailure(cause, message))
}
async function mustFailLater(claim: Promise<void>, message?: RegExp): Promise<void> {
  await assert.rejects(claim, (cause) => isFailure(cause, message))
}
function isFailure(cause: unknown, message = /./): boolean {
  assert.ok(cause instanceof assert.AssertionError, `not a failed test: ${String(cause)}`)
  assert.match(cause.message, message)
  return true
}

describe('an entity', () => {
  test('decides from its history', () => {
    given(order).when(Ordering.Place(o1)).then(Ordering.Placed(o1))
    given(order, Ordering.Placed(o1))
      .when(Ordering.Place(o1))
      .then(refuse('already-placed', ['open']))
    given(order, Ordering.Placed(o2)).when(Ordering.Place(o1)).then(Ordering.Placed(o1))
  })

  test('fails a test that expects anything else', () => {
    const place = given(order).when(Ordering.Place(o1))
    mustFail(() => place.then())
    mustFail(() => place.then(Ordering.Placed(o2)))
    mustFail(() => place.then(Ordering.Placed(o1), Ordering.Placed(o1)))
    mustFail(() => place.then(Ordering.Cancelled(o1)))
    mustFail(() => place.then(refuse('already-placed')))
    mustFail(() => given(order, Ordering.Placed(o1)).when(Ordering.Place(o1)).then())
  })

  test('decides on several entities at once', () => {
    const reserve = { customerId: 'c-1', skus: ['a', 'b', 'a'] }
    const reserved = Ordering.Reserved(reserve)
    given(stock).when(Ordering.Reserve(reserve)).then(reserved)
    given(stock, reserved).when(Ordering.Reserve(reserve)).then(reserved)
    given(stock, reserved, Ordering.Reserved({ customerId: 'c-2', skus: ['b'] }))
      .when(Ordering.Reserve(reserve))
      .then(refuse('sold-out', ['b']))
  })

  test('fails a test with a message that it has no rule for', () => {
    const message = /order has no rule for ordering\.Reserve/
    const reserve = Ordering.Reserve({ customerId: 'c-1', skus: [] })
    mustFail(() => given(order).when(reserve).then(), message)
    mustFail(
      () => given(order, Ordering.Cancelled(o1)).when(Ordering.Place(o1)).then(),
      /order has no rule for ordering\.Cancelled/,
    )
  })

  test('whose id field no message has fails its test', () => {
    const typo = entity(
      'typo',
      { of: Ordering, id: 'ordrId', initial: 0 as number },
      {
        // @ts-expect-error The types reject it first.
        decide: (on) => [on(Ordering.Place, (place) => Ordering.Placed(place))],
        // @ts-expect-error The types reject it first.
        evolve: (on) => [on(Ordering.Placed, (_placed, count) => count + 1)],
      },
    )
    assert.throws(() => given(typo).when(Ordering.Place(o1)).then(Ordering.Placed(o1)), /ordrId/)
  })

  test('gets the key of its contract, which is not its id', () => {
    const keyed = entity(
      'keyed',
      { of: Ordering, id: 'orderId', initial: null },
      {
        decide: (on) => [
          on(Ordering.Place, ({ orderId }, _state, occasion) =>
            Ordering.Placed({ orderId, customerId: occasion.key }),
          ),
        ],
        evolve: () => [],
      },
    )
    given(keyed).when(Ordering.Place(o1)).then(Ordering.Placed(o1))
  })
})

describe('a saga', () => {
  const refused = Payments.Charge.refused({ code: 'limit', issues: [], command: o1 })

  test('steps from the state after its history', () => {
    given(fulfilment)
      .when(Ordering.Placed(o1))
      .then(
        become({ is: 'charging' }),
        send(Payments.Charge(o1)),
        after(1_000, Payments.Refund(o1)),
      )
    given(fulfilment).when(Ordering.Cancelled(o1)).then()
    given(fulfilment, Ordering.Placed(o1))
      .when(Ordering.Cancelled(o1))
      .then(compensate(Payments.Refund(o1), { undoes: Payments.Charge }))
  })

  test('handles the refusal of its command', () => {
    given(fulfilment, Ordering.Placed(o1))
      .when(refused)
      .then(finish({ status: 'rolled-back', reason: 'limit' }))
    mustFail(() => given(fulfilment).when(refused).then(finish()))
  })

  test('fails a test that expects anything else', () => {
    const placed = given(fulfilment).when(Ordering.Placed(o1))
    const [next, charge] = [become({ is: 'charging' }), send(Payments.Charge(o1))]
    mustFail(() => placed.then())
    mustFail(() => placed.then(next, charge))
    mustFail(() => placed.then(next, charge, after(1_001, Payments.Refund(o1))))
    mustFail(() => placed.then(charge, next, after(1_000, Payments.Refund(o1))))
  })

  test('fails a test in which the history finishes it', () => {
    mustFail(
      () => given(fulfilment, refused).when(Ordering.Cancelled(o1)).then(),
      /fulfilment has finished in its history/,
    )
  })

  test('fails a test with a message that it has no rule for', () => {
    mustFail(
      () => given(fulfilment).when(Payments.Charge(o1)).then(),
      /fulfilment has no rule for payments\.Charge/,
    )
  })
})

describe('a projection', () => {
  test('leaves rows by id', () => {
    given(openOrders)
      .when(Ordering.Placed(o1))
      .then({ 'o-1': { customerId: 'c-1' } })
    given(openOrders, Ordering.Placed(o1))
      .when(Ordering.Placed(o2))
      .then({ 'o-1': { customerId: 'c-1' }, 'o-2': { customerId: 'c-1' } })
  })

  test('deletes a row for a tombstone', () => {
    given(openOrders, Ordering.Placed(o1), Ordering.Placed(o2))
      .when(Ordering.Cancelled(o1))
      .then({ 'o-2': { customerId: 'c-1' } })
    given(openOrders).when(Ordering.Cancelled(o1)).then({})
  })

  test('finds the row of a refused command', () => {
    const refused = { code: 'already-placed', issues: [], command: o1 } as const
    given(openOrders, Ordering.Placed(o1))
      .when(Ordering.Place.refused(refused))
      .then({ 'o-1': { customerId: 'already-placed' } })
  })

  test('fails a test that expects other rows', () => {
    const placed = given(openOrders).when(Ordering.Placed(o1))
    mustFail(() => placed.then({}))
    mustFail(() => placed.then())
    mustFail(() => placed.then({ 'o-1': { customerId: 'c-2' } }))
    mustFail(() => placed.then({ 'o-1': { customerId: 'c-1' }, 'o-2': undefined }))
    mustFail(() => given(openOrders).when(Payments.Charged(o1)).then({}), /has no rule for/)
  })

  test('applies an event once per row, as the engine does', () => {
    const skus = ['a', 'b', 'a']
    given(sales)
      .when(Ordering.Reserved({ customerId: 'c-1', skus }))
      .then({ a: 1, b: 1 })
  })

  test('whose id field no message has fails its test', () => {
    const typo = projection('typo', { by: 'ordrId', row: tool<number>() }, (on) => [
      // @ts-expect-error The types reject it first.
      on(Ordering.Placed, () => 1),
    ])
    const placed = given(typo).when(Ordering.Placed(o1))
    assert.throws(() => placed.then({ undefined: 1 }), /ordrId/)
  })
})

describe('a handler', () => {
  const mail = (): { tool: Mail; posted: string[] } => {
    const posted: string[] = []
    return { tool: { post: async (to, by) => void posted.push(`${to} ${by}`) }, posted }
  }

  test('gets its tools and returns messages or nothing', async () => {
    const { tool, posted } = mail()
    await given(receipts, { mail: tool }).when(Payments.Charged(o1)).then()
    await given(receipts, { mail: tool })
      .when(Payments.Charged(o2))
      .then(send(Payments.Refund(o2)))
    assert.deepEqual(posted, ['c-1 receipts:message-1', 'c-1 receipts:message-1'])
  })

  test('fails a test that expects anything else', async () => {
    const charged = (data: typeof o1): ReturnType<ReturnType<typeof given>['when']> =>
      given(receipts, { mail: mail().tool }).when(Payments.Charged(data)) as never
    await mustFailLater(Promise.try(() => charged(o2).then()))
    await mustFailLater(Promise.try(() => charged(o1).then(send(Payments.Refund(o1)))))
    await mustFailLater(Promise.try(() => charged(o2).then(send(Payments.Refund(o1)))))
  })

  test('passes on what a tool throws', async () => {
    const cause = new Error('no connection')
    const broken: Mail = { post: () => Promise.reject(cause) }
    const charged = given(receipts, { mail: broken }).when(Payments.Charged(o1))
    await assert.rejects(charged.then(), cause)
  })
})

describe('a query', () => {
  const history = [Ordering.Placed(o2), Ordering.Placed(o1)]
  const asked = Ordering.Find({ customerId: 'c-1' })

  test('answers from rows and states, ordered by id', async () => {
    const answer = ['o-1 open', 'o-2 open', 'o-1', 'o-2', 'undefined']
    await given(find, ...history)
      .when(asked)
      .then(answer)
    await given(find).when(asked).then(['undefined'])
    const other = Ordering.Find({ customerId: 'c-2' })
    await given(find, ...history)
      .when(other)
      .then(['o-1', 'o-2', 'undefined'])
  })

  test('does not see deleted rows', async () => {
    const left = ['o-2 open', 'o-2', 'undefined']
    await given(find, ...history, Ordering.Cancelled(o1))
      .when(asked)
      .then(left)
  })

  test('fails a test that expects another answer', async () => {
    await mustFailLater(
      given(find, ...history)
        .when(asked)
        .then([]),
    )
    await mustFailLater(given(find).when(asked).then())
    const wrong = given(find).when(Ordering.Placed(o1))
    await mustFailLater(wrong.then([]), /find has no rule for ordering\.Placed/)
  })
})

describe('given–when–then', () => {
  test('can be repeated with the same result', () => {
    const placed = given(order, Ordering.Placed(o2))
    placed.when(Ordering.Place(o1)).then(Ordering.Placed(o1))
    placed.when(Ordering.Place(o1)).then(Ordering.Placed(o1))
    placed.when(Ordering.Place(o2)).then(refuse('already-placed', ['open']))
  })
})
