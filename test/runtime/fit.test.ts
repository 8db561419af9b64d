// What start says of services that do not fit together, beside what types and rules.test.ts say:
// each complaint names what is wrong and its cure, all of them come at once, nothing is started.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Complaint } from 'throughline'
import { Fault, command, contract, entity, event, handler, projection } from 'throughline'
import { query, queryHandler, saga, service, start, type } from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import { through } from '../../src/ports/through.ts'

const Id = z.object({ id: z.string() })
const Ordering = contract('ordering', { key: 'id' }, { Place: command(Id), Placed: event(Id) })
const Payments = contract('payments', { key: 'id' }, { Pay: command(Id), Paid: event(Id) })
const order = entity(
  'order',
  { of: Ordering, id: 'id', initial: 0 },
  {
    decide: (on) => [on(Ordering.Place, (data) => Ordering.Placed(data))],
    evolve: (on) => [on(Ordering.Placed, () => 1)],
  },
)
const shop = service('shop', { owns: [Ordering], runs: [order] })
const noService = service('shop', { owns: [Ordering], runs: [] })
const deafOrder = entity(
  'order',
  { of: Ordering, id: 'id', initial: 0 },
  { decide: (on) => [on(Ordering.Place, (data) => Ordering.Placed(data))], evolve: () => [] },
)
const deaf = service('shop', { owns: [Ordering], runs: [deafOrder] })
const mail = handler('mail', { uses: { mailer: type<object>() } }, (on) => [
  on(Ordering.Placed, () => undefined),
])
const payments = projection('payments', { by: 'id', row: type<object>() }, (on) => [
  on(Payments.Paid, (data) => data),
])

/** Starts over a backend that must not be touched, and gives the complaints. */
async function refused(services: readonly unknown[], options: object = {}) {
  const calls: string[] = []
  const { log, store } = through(memory(), (method, call) => {
    calls.push(method)
    return call()
  })
  const open = async (): Promise<void> => void calls.push('open')
  const backend = { log: { ...log, open }, store: { ...store, open } }
  const fault = await start(services as never, backend, options as never).then(
    async (app) => {
      await app.stop()
      return assert.fail('it has started')
    },
    (cause: unknown) => cause,
  )
  assert.ok(fault instanceof Fault, String(fault))
  assert.equal(fault.code, 'START_REFUSED')
  assert.deepEqual(calls, [], 'the backend was touched')
  for (const { path, message } of fault.complaints)
    assert.ok(fault.message.includes(`${path}: ${message}`), 'the message has every complaint')
  return fault.complaints
}

const Fleeting = contract(
  'fleeting',
  { key: 'id', retention: { events: { ageMs: 1_000 } } },
  { Pass: command(Id), Passed: event(Id) },
)
const moment = entity(
  'moment',
  { of: Fleeting, id: 'id', initial: 0 },
  {
    decide: (on) => [on(Fleeting.Pass, (data) => Fleeting.Passed(data))],
    evolve: (on) => [on(Fleeting.Passed, () => 1)],
  },
)
const late = handler('late', { order: 'any' as 'none', delayMs: -1 }, (on) => [
  on(Ordering.Placed, () => undefined),
])

/** Who is named, what is wrong, and the cure. */
const CASES: readonly (readonly [string, readonly unknown[], Complaint])[] = [
  [
    'a tool is missing',
    [service('shop', { owns: [Ordering], runs: [order, mail] })],
    {
      path: 'shop/mail',
      message: 'needs the tool mailer: hand it to start as tools: { mailer }',
    },
  ],
  [
    'an entity is made of events that are taken away',
    [service('shop', { owns: [Fleeting], runs: [moment] })],
    {
      path: 'shop/moment',
      message:
        'is made of the events of fleeting, which has them taken away: leave out its retention ' +
        'of events and its compaction',
    },
  ],
  [
    'a contract has a second owner',
    [shop, service('other', { owns: [Ordering], runs: [] })],
    {
      path: 'other',
      message:
        'contract ordering is owned by shop already: one service owns a contract, so take it out ' +
        'of the owns of one of them',
    },
  ],
  [
    'a rule hears what no contract here has',
    [service('shop', { owns: [Ordering], runs: [order, payments] })],
    {
      path: 'shop/payments',
      message:
        'has a rule for payments.Paid, but no service here owns payments: start its owner as ' +
        'well, or name the contract in elsewhere',
    },
  ],
  [
    'a command has nobody who decides it',
    [noService],
    {
      path: 'ordering.Place',
      message: 'nobody decides this command: give an entity of shop a decide rule for it',
    },
  ],
  [
    'an event is decided and changes nothing',
    [deaf],
    {
      path: 'ordering.Placed',
      message:
        'may be decided by order, but no entity evolves by it: add an evolve rule, or leave it ' +
        "out of the entity's emits",
    },
  ],
]

describe('start refuses, and touches nothing, where', () => {
  for (const [name, services, complaint] of CASES)
    test(name, async () => assert.deepEqual(await refused(services), [complaint]))

  test('everything is wrong: with all complaints at once', async () => {
    const all = [
      service('shop', { owns: [Ordering], runs: [deafOrder, mail, payments] }),
      service('other', { owns: [Ordering], runs: [] }),
    ]
    const complaints = await refused(all)
    assert.deepEqual(complaints.map(({ path }) => path).toSorted(), [
      'ordering.Placed',
      'other',
      'shop/mail',
      'shop/payments',
    ])
  })

  test('a handler has an order and a delay that there are not', async () => {
    const services = [service('shop', { owns: [Ordering], runs: [order, late] })]
    assert.deepEqual(
      (await refused(services)).map(({ message }) => message),
      [
        'its delayMs must be a whole number from 0 to 315576000000',
        'its order must be "key" or "none"',
      ],
    )
  })

  test('an entity or a projection has a version that is no whole number from 1 on', async () => {
    for (const version of [0, -1, 1.5, Number.NaN]) {
      const rows = projection('rows', { by: 'id', row: type<object>(), version }, () => [])
      const services = [service('shop', { owns: [Ordering], runs: [{ ...order, version }, rows] })]
      assert.deepEqual(await refused(services), [
        { path: 'shop/order', message: 'its version must be a whole number from 1 on' },
        { path: 'shop/rows', message: 'its version must be a whole number from 1 on' },
      ])
    }
  })

  test('a tool is there, but not its own', async () => {
    const tools = Object.create({ mailer: {} }) as object
    const services = [service('shop', { owns: [Ordering], runs: [order, mail] })]
    assert.equal((await refused(services, { tools })).length, 1)
  })
})

/** Something declared without types, as from JavaScript. */
const untyped = { entity, handler, projection, query, saga, service } as unknown as Readonly<
  Record<string, (...given: readonly unknown[]) => never>
>
type On = ((...given: readonly unknown[]) => unknown) & {
  readonly refused: (...given: readonly unknown[]) => unknown
}
const nothing = (): never[] => []
const Asked = contract(
  'asked',
  { key: 'id' },
  { Ask: command(Id, { refuses: ['no'] }), Told: event(Id), Look: query(Id, { answers: Id }) },
)
const asked = untyped['entity']?.(
  'asked',
  { of: Asked, id: 'id', initial: 0 },
  {
    decide: (on: On) => [on(Asked.Ask, nothing)],
    evolve: (on: On) => [on(Asked.Told, () => 1)],
  },
)
const entityOf = (options: object): never =>
  untyped['entity']?.(
    'other',
    { of: Asked, id: 'id', initial: 0, ...options },
    { decide: nothing, evolve: nothing },
  ) as never
const shelves = projection('shelves', { by: 'id', row: type<object>() }, () => [])
const storage = service('storage', { runs: [shelves] })
const inAsked = (...runs: readonly unknown[]): readonly unknown[] => [
  untyped['service']?.('asking', { owns: [Asked], runs: [asked, ...runs] }),
]
const handlerOf = (options: object): readonly unknown[] =>
  inAsked(untyped['handler']?.('one', options, nothing))
const sagaOf = (options: object): readonly unknown[] =>
  inAsked(untyped['saga']?.('one', { by: 'id', initial: 0, ...options }, nothing))

/** What types refuse, or lists that are declared; of whom it is said, and how it ends. */
const DECLARED: Readonly<Record<string, readonly [services: readonly unknown[], RegExp]>> = {
  'an entity lists an event of another contract in emits': [
    inAsked(entityOf({ emits: [Ordering.Placed] })),
    /^asking\/other: lists ordering\.Placed in emits or hears, which contract asked lacks: /,
  ],
  'an entity hears an event of another contract': [
    inAsked(entityOf({ hears: [Ordering.Placed] })),
    /^asking\/other: lists ordering\.Placed in emits or hears, which contract asked lacks: /,
  ],
  'an entity lists a command in emits': [
    inAsked(entityOf({ emits: [Asked.Ask] })),
    /^asking\/other: its emits holds asked\.Ask, which is no event: take it out$/,
  ],
  'a handler sends an event': [
    handlerOf({ sends: [Asked.Told] }),
    /^asking\/one: its sends holds asked\.Told, which is no command: take it out$/,
  ],
  'a saga sends a message whose name is misspelt': [
    sagaOf({ sends: [undefined] }),
    /^asking\/one: its sends holds undefined, which is no command: take it out$/,
  ],
  'a handler sends what nobody here knows': [
    handlerOf({ sends: [Payments.Pay] }),
    /^asking\/one: sends payments\.Pay, but no service here owns payments: start its owner/,
  ],
  'a rule is for a message whose name is misspelt': [
    inAsked(untyped['handler']?.('one', {}, (on: On) => [on(undefined, nothing)])),
    /^asking\/one: has a rule for undefined, which is no message: is its name misspelt\?$/,
  ],
  'a query reads a projection of another service': [
    [...inAsked(queryHandler('one', { of: Asked, reads: [shelves] }, () => [])), storage],
    /^asking\/one: reads projection shelves, which asking does not run: rows belong to their service/,
  ],
  'a query answers a command': [
    inAsked(
      untyped['query']?.('one', { of: Asked, reads: [] }, (on: On) => [on(Asked.Ask, nothing)]),
    ),
    /^asking\/one: answers asked\.Ask, which is no query of asked: leave that rule out$/,
  ],
  'a query says nothing of what it reads': [
    inAsked(untyped['query']?.('one', { of: Asked }, nothing)),
    /^asking\/one: has no reads: list the projections and entities that it reads$/,
  ],
  'an option of a handler is misspelt': [
    handlerOf({ concurency: 4 }),
    /^asking\/one: its option concurency is not known: did you mean "concurrency"\?$/,
  ],
  'an option of an entity is misspelt': [
    inAsked(entityOf({ emit: [] })),
    /^asking\/other: its option emit is not known: did you mean "emits"\?$/,
  ],
  'an option of a saga is misspelt': [
    sagaOf({ sends: [], renameFrom: 'two' }),
    /^asking\/one: its option renameFrom is not known: did you mean "renamedFrom"\?$/,
  ],
  'an option of a projection is misspelt': [
    inAsked(untyped['projection']?.('one', { by: 'id', index: [] }, nothing)),
    /^asking\/one: its option index is not known: did you mean "indexes"\?$/,
  ],
  'an option of a query is misspelt': [
    inAsked(untyped['query']?.('one', { of: Asked, reads: [], read: [] }, nothing)),
    /^asking\/one: its option read is not known: did you mean "reads"\?$/,
  ],
  'an option of a service is misspelt': [
    [untyped['service']?.('shop', { owns: [Ordering], runs: [order], run: [] })],
    /^shop: its option run is not known: did you mean "runs"\?$/,
  ],
  'a handler starts nowhere that there is': [
    handlerOf({ startFrom: 'earliest' }),
    /^asking\/one: its startFrom must be 'beginning', 'now' or \{ atMs: a time in milliseconds \}$/,
  ],
  'an entity starts at an offset': [
    inAsked(entityOf({ startFrom: { offset: 3 } })),
    /^asking\/other: its startFrom must be 'beginning', 'now' or \{ atMs/,
  ],
  'a projection starts in the middle': [
    inAsked(untyped['projection']?.('one', { by: 'id', startFrom: 'now' }, nothing)),
    /^asking\/one: its startFrom must be 'beginning': the rows of a projection follow/,
  ],
  'a rule is renamed from what can be no name': [
    handlerOf({ renamedFrom: 'My mail' }),
    /^asking\/one: its renamedFrom must be the name that it had before$/,
  ],
  'a rule is renamed from its own name': [
    handlerOf({ renamedFrom: 'one' }),
    /^asking\/one: its renamedFrom is its name of today: leave it out$/,
  ],
  'two services are renamed from one': [
    [
      untyped['service']?.('shop', { owns: [Ordering], runs: [order], renamedFrom: 'till' }),
      untyped['service']?.('stall', { owns: [], runs: [], renamedFrom: 'till' }),
    ],
    /^stall: is renamed from till, and so is shop: only one can go on with it$/,
  ],
}

describe('start refuses for JavaScript what types refuse for TypeScript, where', () => {
  for (const [name, [services, expected]] of Object.entries(DECLARED))
    test(name, async () => {
      const [complaint, ...others] = await refused(services)
      assert.deepEqual(others, [])
      assert.match(`${complaint?.path}: ${complaint?.message}`, expected)
    })

  test('an event is evolved that no entity may decide', async () => {
    const options = { of: Asked, id: 'id', initial: 0 }
    const lists = (decide: readonly unknown[], evolve: readonly unknown[]) => ({
      decide: (on: On) => decide.map((each) => on(each, nothing)),
      evolve: (on: On) => evolve.map((each) => on(each, nothing)),
    })
    const hearing = untyped['entity']?.('hearing', options, lists([], [Asked.Told]))
    const mute = untyped['entity']?.('mute', { ...options, emits: [] }, lists([Asked.Ask], []))
    const services = [untyped['service']?.('asking', { owns: [Asked], runs: [hearing, mute] })]
    const [complaint] = await refused(services)
    assert.match(
      complaint?.message ?? '',
      /^is evolved by hearing, but no entity may decide it: add/,
    )
  })

  test('an option of a contract or of a message is misspelt', () => {
    const declare = (options: object, message: unknown = event(Id)) =>
      contract('odd', { key: 'id', ...options } as never, { Odd: message } as never)
    const cases: readonly (readonly [() => unknown, RegExp])[] = [
      [() => declare({ partition: 4 }), /partition: is not known: did you mean "partitions"\?/],
      [
        () => declare({ retention: { events: { ageMS: 1 } } }),
        /retention\.events\.ageMS: is not known: did you mean "ageMs"\?/,
      ],
      [
        () => declare({}, command(Id, { refuse: ['no'] } as never)),
        /Odd: its option refuse is not known: did you mean "refuses"\?/,
      ],
    ]
    for (const [declaring, message] of cases)
      assert.throws(declaring, { code: 'CONTRACT_INVALID', message })
  })
})

test('a contract of events alone needs no entity', async () => {
  const Readings = contract('readings', { key: 'id' }, { Read: event(Id) })
  await using app = await start([service('house', { owns: [Readings], runs: [] })], memory())
  assert.equal(app.describe().contracts.length, 1)
})

test('a cure cures: the tool handed in, the owner named elsewhere', async () => {
  const cured = service('shop', { owns: [Ordering], runs: [order, mail, payments] })
  const options = { tools: { mailer: {} }, elsewhere: [Payments] }
  await using app = await start([cured], memory(), options)
  assert.equal((await app.status()).length, 3)
})

test('a topic that exists with other settings is reported, and left as it is', async () => {
  const backend = memory()
  await backend.log.declare([{ name: 'ordering.events', partitions: 5, strategy: 'murmur2' }])
  await assert.rejects(start([shop], backend), (fault) => {
    assert.ok(fault instanceof Fault)
    assert.equal(fault.code, 'TOPIC_DIFFERS')
    assert.equal(fault.complaints.length, 1)
    assert.equal(fault.complaints[0]?.path, 'ordering.events')
    assert.match(fault.complaints[0]?.message ?? '', /5.*8|8.*5/)
    return true
  })
  assert.equal((await backend.log.ends(['ordering.events'])).length, 5)
})

test('an option of the engine that is unknown or out of bounds starts nothing', async () => {
  for (const engine of [{ leaseMs: 1 }, { leaseMS: 1_000 }, { unitRecordsMax: 1.5 }])
    await assert.rejects(start([shop], memory(), { engine: engine as never }), /OPTION_INVALID/)
})
