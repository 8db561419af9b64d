// Rules as they are declared, and what start says of rules that cannot work. Types refuse most of
// these already; here they are declared without the help of types.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Issue } from 'throughline'
import { command, contract, entity, event, Fault, finish, handler } from 'throughline'
import { projection, query, queryHandler, saga, service, start, tool } from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'

const Data = z.object({ orderId: z.string(), customerId: z.string() })
const key = 'customerId'
const Ordering = contract(
  'ordering',
  { key },
  {
    Place: command(Data, { refuses: ['closed'] }),
    Placed: event(Data),
    Find: query(Data, { answers: z.array(z.string()) }),
  },
)
const Payments = contract('payments', { key }, { Charge: command(Data), Charged: event(Data) })
const initial = { is: 'absent' }
const nothing = (): never[] => []
const stay = (_data: unknown, state: unknown): unknown => state

/** Functions without their types, as JavaScript calls them. */
type Untyped = (...given: readonly unknown[]) => never
const untyped = {
  entity: entity as unknown as Untyped,
  saga: saga as unknown as Untyped,
  projection: projection as unknown as Untyped,
  handler: handler as unknown as Untyped,
  query: queryHandler as unknown as Untyped,
  service: service as unknown as Untyped,
}
type Lists = Readonly<Record<'decide' | 'evolve', readonly (readonly unknown[])[]>>
type On = (...given: readonly unknown[]) => unknown

function entityOf(name: string, options: object, { decide, evolve }: Lists): never {
  return untyped.entity(
    name,
    { of: Ordering, id: 'orderId', initial, ...options },
    {
      decide: (on: On) => decide.map((each) => on(...each)),
      evolve: (on: On) => evolve.map((each) => on(...each)),
    },
  )
}
const rulesOf =
  (...all: readonly (readonly unknown[])[]) =>
  (on: On): unknown[] =>
    all.map((each) => on(...each))

const order = entityOf(
  'order',
  {},
  {
    decide: [[Ordering.Place, nothing]],
    evolve: [[Ordering.Placed, stay]],
  },
)
const payment = entityOf(
  'payment',
  { of: Payments },
  {
    decide: [[Payments.Charge, nothing]],
    evolve: [[Payments.Charged, stay]],
  },
)
const shop = (...runs: readonly never[]): never =>
  untyped.service('shop', { owns: [Ordering], runs: [order, ...runs] })
const till: never = untyped.service('till', { owns: [Payments], runs: [payment] })

/** What start complains about, one line each, or nothing where it would start. */
async function complaintsOf(services: readonly never[], options: object = {}): Promise<string[]> {
  try {
    const app = await start(services as never, memory(), options as never)
    await app.stop()
    return []
  } catch (fault) {
    assert.ok(fault instanceof Fault, `not a Fault but ${String(fault)}`)
    assert.ok(['START_REFUSED', 'RULE_INVALID'].includes(fault.code), fault.code)
    return fault.issues.map(({ path, message }: Issue) => `${path}: ${message}`)
  }
}

async function mustComplain(services: readonly never[], ...expected: RegExp[]): Promise<void> {
  const complaints = await complaintsOf(services)
  assert.equal(complaints.length, expected.length, complaints.join('\n'))
  for (const each of expected)
    assert.ok(
      complaints.some((complaint) => each.test(complaint)),
      complaints.join('\n'),
    )
}

describe('rules as they are declared', () => {
  test('are plain lists of message types and functions', () => {
    const run = (): never[] => []
    const ids = (): string[] => ['a']
    const declared = entityOf(
      'order',
      { emits: [Ordering.Placed] },
      {
        decide: [[Ordering.Place, { ids }, run]],
        evolve: [[Ordering.Placed, run]],
      },
    )
    assert.deepEqual(declared, {
      kind: 'entity',
      name: 'order',
      of: Ordering,
      id: 'orderId',
      initial,
      version: 1,
      emits: [Ordering.Placed],
      receives: [],
      decide: [{ on: Ordering.Place, trigger: 'message', run, ids }],
      evolve: [{ on: Ordering.Placed, trigger: 'message', run }],
    })
  })

  test('of a saga distinguish events, refusals and failures', () => {
    const run = (): ReturnType<typeof finish> => finish()
    const declared = saga('s', { by: 'orderId', initial, sends: [Payments.Charge] }, (on) => [
      on(Ordering.Placed, run),
      on.refused(Payments.Charge, run),
      on.failed(Payments.Charge, run),
    ])
    assert.deepEqual(declared.rules, [
      { on: Ordering.Placed, trigger: 'message', run },
      { on: Payments.Charge, trigger: 'refused', run },
      { on: Payments.Charge, trigger: 'failed', run },
    ])
    assert.deepEqual([declared.kind, declared.by, declared.emits], ['saga', 'orderId', []])
  })

  test('have their defaults filled in', () => {
    const { uses, sends, emits, concurrency } = handler('h', {}, () => [])
    assert.deepEqual([uses, sends, emits, concurrency], [{}, [], [], 16])
    const { indexes, version } = projection('p', { by: 'orderId', row: tool() }, () => [])
    assert.deepEqual([indexes, version], [[], 1])
    assert.deepEqual(service('s', { runs: [] }).owns, [])
  })

  test('of a query handler differ from the query of a contract', () => {
    const { kind, name, rules } = queryHandler('find', { of: Ordering, reads: [] }, (on) => [
      on(Ordering.Find, () => []),
    ])
    assert.deepEqual([kind, name, rules.length], ['query', 'find', 1])
    assert.equal(Ordering.Find.kind, 'query')
  })
})

describe('start refuses services', () => {
  test('if there is none', async () => {
    await mustComplain([], /^services: is empty/)
  })

  test('never if they are valid', async () => {
    assert.deepEqual(await complaintsOf([shop(), till]), [])
    assert.deepEqual(await complaintsOf([shop()], { remote: [Payments] }), [])
  })

  test('with wrong, reserved or repeated names', async () => {
    const named = (name: string): never => untyped.handler(name, {}, nothing)
    await mustComplain([shop(named('Mail'))], /^shop\/Mail: a rule name must be lower-case/)
    for (const name of ['operations', 'timers', 'holds', 'held'])
      await mustComplain(
        [shop(named(name))],
        /: this name is reserved or used twice in the service/,
      )
    await mustComplain(
      [shop(named('mail'), named('mail'))],
      /^shop\/mail: this name is reserved or used twice/,
    )
    await mustComplain(
      [untyped.service('My Shop', { runs: [] })],
      /a service name must be lower-case/,
    )
    await mustComplain([till, untyped.service('till', { runs: [] })], /two services have this name/)
  })

  test('with names longer than their limit', async () => {
    const name = 'a'.repeat(129)
    await mustComplain([untyped.service(name, { runs: [] })], /name/)
    await mustComplain([shop(untyped.handler(name, {}, nothing))], /name/)
  })

  test('that own one contract twice, or two contracts of one name', async () => {
    const other = contract('payments', { key }, {})
    await mustComplain(
      [till, untyped.service('b', { owns: [Payments], runs: [] })],
      /owned by till/,
    )
    await mustComplain(
      [till, untyped.service('b', { owns: [other], runs: [] })],
      /another contract/,
    )
  })

  test('that own a value that is not a contract', async () => {
    for (const other of [{}, 'ordering', { ...Payments }])
      await mustComplain(
        [till, untyped.service('b', { owns: [other], runs: [] })],
        /not a contract/,
      )
  })

  test('that own a value that is not a contract, without a TypeError from their rules', async () => {
    const mail = untyped.handler('mail', { emits: [Payments.Charged] }, nothing)
    const complaints = await complaintsOf([
      till,
      untyped.service('b', { owns: [{}], runs: [mail] }),
    ])
    assert.ok(complaints.some((complaint) => /not a contract/.test(complaint)))
  })

  test('with a rule of a value that is not a contract, without a TypeError', async () => {
    const complaints = await complaintsOf([
      shop(entityOf('lost', { of: {} }, { decide: [], evolve: [] })),
    ])
    assert.ok(complaints.some((complaint) => complaint.startsWith('shop/lost: ')))
  })

  test('with all issues at once', async () => {
    const lost = untyped.handler('Lost', { uses: { mail: tool() } }, nothing)
    await mustComplain(
      [shop(lost), untyped.service('shop', { owns: [Payments], runs: [] })],
      /two services have this name/,
      /Lost: a rule name/,
      /needs the tool mail/,
      /^payments.Charge: no entity decides/,
    )
  })
})

describe('start refuses rules', () => {
  test('of a contract that their service does not own', async () => {
    const foreign = entityOf('foreign', { of: Payments }, { decide: [], evolve: [] })
    await mustComplain([shop(foreign), till], /^shop\/foreign: is a rule of contract payments/)
    const asked = untyped.query('asked', { of: Payments, reads: [] }, nothing)
    await mustComplain([shop(asked), till], /^shop\/asked: is a rule of contract payments/)
  })

  test('for messages of an unknown contract', async () => {
    const rules = rulesOf([Payments.Charged, finish])
    const on = [
      untyped.saga('a', { by: 'orderId', initial, sends: [] }, rules),
      untyped.projection('b', { by: 'orderId' }, rules),
      untyped.handler('c', {}, rules),
    ]
    const expected = ['a', 'b', 'c'].map(
      (name) => new RegExp(`^shop/${name}: has a rule for payments.Charged, but no service here`),
    )
    await mustComplain([shop(...on)], ...expected)
    assert.deepEqual(await complaintsOf([shop(...on)], { remote: [Payments] }), [])
  })

  test('for a message that its contract does not have, such as one of another copy', async () => {
    const copy = contract('payments', { key }, { Charged: event(Data), Lost: event(Data) })
    for (const lost of [copy.Lost, copy.Charged]) {
      const seen = untyped.projection('seen', { by: 'orderId' }, rulesOf([lost, nothing]))
      await mustComplain(
        [shop(seen), till],
        /^shop\/seen: .* which contract payments does not have/,
      )
    }
  })

  test('that publish events of another service', async () => {
    const mail = untyped.handler('mail', { emits: [Payments.Charged] }, nothing)
    await mustComplain(
      [shop(mail), till],
      /^shop\/mail: emits payments.Charged, which shop does not/,
    )
  })

  test('that lack a tool, also one named like a member of Object.prototype', async () => {
    const uses = { toString: tool(), mail: tool() }
    const mail = shop(untyped.handler('mail', { uses }, nothing))
    await mustComplain([mail], /needs the tool toString/, /needs the tool mail/)
    assert.deepEqual(await complaintsOf([mail], { tools: { mail: 1, toString: 1 } }), [])
  })

  test('for commands that no entity decides, or that two entities decide', async () => {
    const empty: never = untyped.service('shop', { owns: [Ordering], runs: [] })
    await mustComplain([empty], /^ordering.Place: no entity decides this command/)
    const second = entityOf(
      'second',
      { emits: [] },
      {
        decide: [[Ordering.Place, nothing]],
        evolve: [],
      },
    )
    await mustComplain([shop(second)], /^ordering.Place: is decided by order and second/)
  })

  test('of an entity for foreign messages, and messages in the wrong list', async () => {
    const lists = {
      decide: [
        [Payments.Charge, nothing],
        [Ordering.Placed, nothing],
      ],
      evolve: [
        [Payments.Charged, stay],
        [Ordering.Place, stay],
      ],
    }
    await mustComplain(
      [shop(entityOf('odd', {}, lists)), till],
      /^shop\/odd: has a rule for payments.Charge, which contract ordering does not have/,
      /^shop\/odd: has a rule for payments.Charged, which contract ordering does not have/,
      /^shop\/odd: Placed is not of kind command: move/,
      /^shop\/odd: Place is not of kind event: move/,
    )
  })

  test('of an entity that has no evolve rule for its events, or one for foreign events', async () => {
    const decide = [[Ordering.Place, nothing]]
    const deaf: never = untyped.service('shop', {
      owns: [Ordering],
      runs: [entityOf('order', {}, { decide, evolve: [] })],
    })
    await mustComplain(
      [deaf],
      /^ordering.Placed: may be emitted by order, but no entity has an evolve/,
    )
    const mute: never = untyped.service('shop', {
      owns: [Ordering],
      runs: [entityOf('order', { emits: [] }, { decide, evolve: [[Ordering.Placed, stay]] })],
    })
    await mustComplain(
      [mute],
      /^shop\/order: has an evolve rule for Placed, which it does not emit/,
    )
  })

  test('of one entity that decide one command twice', async () => {
    const twice: never = untyped.service('shop', {
      owns: [Ordering],
      runs: [
        entityOf(
          'order',
          {},
          {
            decide: [
              [Ordering.Place, nothing],
              [Ordering.Place, nothing],
            ],
            evolve: [[Ordering.Placed, stay]],
          },
        ),
      ],
    })
    await mustComplain([twice], /Place/)
  })

  test('that fold one event twice', async () => {
    const rules = rulesOf([Ordering.Placed, nothing], [Ordering.Placed, nothing])
    await mustComplain([shop(untyped.projection('seen', { by: 'orderId' }, rules))], /Placed/)
  })

  test('of a saga that wait for an answer to a command that it never sends', async () => {
    const answers = untyped.saga(
      'waits',
      { by: 'orderId', initial, sends: [] },
      (on: { refused: On }) => [on.refused(Payments.Charge, finish)],
    )
    await mustComplain([shop(answers), till], /^shop\/waits: .*Charge/)
  })

  test('for commands, which only entities handle', async () => {
    const rules = rulesOf([Payments.Charge, finish])
    const on = [
      untyped.saga('a', { by: 'orderId', initial, sends: [] }, rules),
      untyped.projection('b', { by: 'orderId' }, rules),
      untyped.handler('c', {}, rules),
    ]
    await mustComplain([shop(...on), till], /^shop\/a: /, /^shop\/b: /, /^shop\/c: /)
  })

  test('of a handler whose concurrency is not from 1 to 1,024', async () => {
    for (const concurrency of [0, -1, 1.5, 1_025, Number.NaN, '16'])
      await assert.rejects(
        async () => {
          const mail = untyped.handler('mail', { concurrency }, nothing)
          const app = await start([shop(mail)] as never, memory(), {} as never)
          await app.stop()
        },
        (fault) => fault instanceof Fault && /concurrency/.test(fault.message),
        String(concurrency),
      )
  })
})
