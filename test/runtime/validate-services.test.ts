// What start says about services that are not valid together, beside types and rules.test.ts: each
// issue says what is wrong and how to correct it, all issues come at once, and nothing is started.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Issue } from 'throughline'
import { Fault, command, contract, entity, event, handler, projection } from 'throughline'
import { query, queryHandler, saga, service, start, tool } from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import { intercept } from '../../src/ports/intercept.ts'

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
const mail = handler('mail', { uses: { mailer: tool<object>() } }, (on) => [
  on(Ordering.Placed, () => undefined),
])
const payments = projection('payments', { by: 'id', row: tool<object>() }, (on) => [
  on(Payments.Paid, (data) => data),
])

/** Starts on a backend that must not be called, and gives the issues. */
async function refused(services: readonly unknown[], options: object = {}) {
  const calls: string[] = []
  const { log, store } = intercept(memory(), (method, call) => {
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
  for (const { path, message } of fault.issues)
    assert.ok(fault.message.includes(`${path}: ${message}`), 'the message has every complaint')
  return fault.issues
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
const late = handler('late', { consume: 'any' as 'queue', delayMs: -1 }, (on) => [
  on(Ordering.Placed, () => undefined),
])

/** The path, the problem and the cure of each case. */
const CASES: readonly (readonly [string, readonly unknown[], Issue])[] = [
  [
    'a tool is missing',
    [service('shop', { owns: [Ordering], runs: [order, mail] })],
    {
      path: 'shop/mail',
      message: 'needs the tool mailer: pass it to start in tools: { mailer }',
    },
  ],
  [
    'an entity folds events that retention deletes',
    [service('shop', { owns: [Fleeting], runs: [moment] })],
    {
      path: 'shop/moment',
      message:
        'folds the events of fleeting, which its retention or compaction deletes: remove ' +
        'retention.events and compaction from the contract',
    },
  ],
  [
    'a contract has a second owner',
    [shop, service('other', { owns: [Ordering], runs: [] })],
    {
      path: 'other',
      message:
        'contract ordering is owned by shop already: a contract has one owner, so remove it from ' +
        'the owns of one of them',
    },
  ],
  [
    'a rule is for a message that no contract here has',
    [service('shop', { owns: [Ordering], runs: [order, payments] })],
    {
      path: 'shop/payments',
      message:
        'has a rule for payments.Paid, but no service here owns payments: start its owner, too, ' +
        'or list the contract in remote',
    },
  ],
  [
    'no entity decides a command',
    [noService],
    {
      path: 'ordering.Place',
      message: 'no entity decides this command: add a decide rule for it to an entity of shop',
    },
  ],
  [
    'no entity evolves by an event that may be emitted',
    [deaf],
    {
      path: 'ordering.Placed',
      message:
        'may be emitted by order, but no entity has an evolve rule for it: add one, or remove the ' +
        'event from emits',
    },
  ],
]

describe('start refuses without calling the backend if', () => {
  for (const [name, services, complaint] of CASES)
    test(name, async () => assert.deepEqual(await refused(services), [complaint]))

  test('everything is wrong, with all issues at once', async () => {
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

  test('a handler has an invalid consume mode and an invalid delay', async () => {
    const services = [service('shop', { owns: [Ordering], runs: [order, late] })]
    assert.deepEqual(
      (await refused(services)).map(({ message }) => message),
      [
        'its delayMs must be a whole number from 0 to 315576000000',
        'its consume must be "stream" or "queue"',
      ],
    )
  })

  test('an entity or a projection has a version that is not a whole number of at least 1', async () => {
    for (const version of [0, -1, 1.5, Number.NaN]) {
      const rows = projection('rows', { by: 'id', row: tool<object>(), version }, () => [])
      const services = [service('shop', { owns: [Ordering], runs: [{ ...order, version }, rows] })]
      assert.deepEqual(await refused(services), [
        { path: 'shop/order', message: 'its version must be a whole number of at least 1' },
        { path: 'shop/rows', message: 'its version must be a whole number of at least 1' },
      ])
    }
  })

  test('a tool is only inherited', async () => {
    const tools = Object.create({ mailer: {} }) as object
    const services = [service('shop', { owns: [Ordering], runs: [order, mail] })]
    assert.equal((await refused(services, { tools })).length, 1)
  })
})

/** Functions without their types, as JavaScript calls them. */
const untyped = { entity, handler, projection, queryHandler, saga, service } as unknown as Readonly<
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
const shelves = projection('shelves', { by: 'id', row: tool<object>() }, () => [])
const storage = service('storage', { runs: [shelves] })
const inAsked = (...runs: readonly unknown[]): readonly unknown[] => [
  untyped['service']?.('asking', { owns: [Asked], runs: [asked, ...runs] }),
]
const handlerOf = (options: object): readonly unknown[] =>
  inAsked(untyped['handler']?.('one', options, nothing))
const sagaOf = (options: object): readonly unknown[] =>
  inAsked(untyped['saga']?.('one', { by: 'id', initial: 0, ...options }, nothing))

/** Services that TypeScript would refuse, and the issue that each causes. */
const DECLARED: Readonly<Record<string, readonly [services: readonly unknown[], RegExp]>> = {
  'an entity lists an event of another contract in emits': [
    inAsked(entityOf({ emits: [Ordering.Placed] })),
    /^asking\/other: lists ordering\.Placed in emits or receives, which contract asked does not have: /,
  ],
  'an entity receives an event of another contract': [
    inAsked(entityOf({ receives: [Ordering.Placed] })),
    /^asking\/other: lists ordering\.Placed in emits or receives, which contract asked does not have: /,
  ],
  'an entity lists a command in emits': [
    inAsked(entityOf({ emits: [Asked.Ask] })),
    /^asking\/other: its emits contains asked\.Ask, which is not of kind event: remove it$/,
  ],
  'a handler sends an event': [
    handlerOf({ sends: [Asked.Told] }),
    /^asking\/one: its sends contains asked\.Told, which is not of kind command: remove it$/,
  ],
  'a saga sends a message whose name is misspelt': [
    sagaOf({ sends: [undefined] }),
    /^asking\/one: its sends contains undefined, which is not of kind command: remove it$/,
  ],
  'a handler sends a command of an unknown contract': [
    handlerOf({ sends: [Payments.Pay] }),
    /^asking\/one: sends payments\.Pay, but no service here owns payments: start its owner/,
  ],
  'a rule is for a message whose name is misspelt': [
    inAsked(untyped['handler']?.('one', {}, (on: On) => [on(undefined, nothing)])),
    /^asking\/one: has a rule for undefined, which is not a message type: is its name misspelt\?$/,
  ],
  'a query reads a projection of another service': [
    [...inAsked(queryHandler('one', { of: Asked, reads: [shelves] }, () => [])), storage],
    /^asking\/one: reads projection shelves, which asking does not run: a service reads only its own rows/,
  ],
  'a query answers a command': [
    inAsked(
      untyped['queryHandler']?.('one', { of: Asked, reads: [] }, (on: On) => [
        on(Asked.Ask, nothing),
      ]),
    ),
    /^asking\/one: answers asked\.Ask, which is not a query of asked: remove that rule$/,
  ],
  'a query handler has no reads': [
    inAsked(untyped['queryHandler']?.('one', { of: Asked }, nothing)),
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
    inAsked(untyped['queryHandler']?.('one', { of: Asked, reads: [], read: [] }, nothing)),
    /^asking\/one: its option read is not known: did you mean "reads"\?$/,
  ],
  'an option of a service is misspelt': [
    [untyped['service']?.('shop', { owns: [Ordering], runs: [order], run: [] })],
    /^shop: its option run is not known: did you mean "runs"\?$/,
  ],
  'a handler has an invalid startFrom': [
    handlerOf({ startFrom: 'earliest' }),
    /^asking\/one: its startFrom must be 'beginning', 'now' or \{ atMs: a time in milliseconds \}$/,
  ],
  'an entity starts at an offset': [
    inAsked(entityOf({ startFrom: { offset: 3 } })),
    /^asking\/other: its startFrom must be 'beginning', 'now' or \{ atMs/,
  ],
  'a projection does not start at the beginning': [
    inAsked(untyped['projection']?.('one', { by: 'id', startFrom: 'now' }, nothing)),
    /^asking\/one: its startFrom must be 'beginning': a projection reads every event/,
  ],
  'a rule is renamed from an invalid name': [
    handlerOf({ renamedFrom: 'My mail' }),
    /^asking\/one: its renamedFrom must be its former name$/,
  ],
  'a rule is renamed from its present name': [
    handlerOf({ renamedFrom: 'one' }),
    /^asking\/one: its renamedFrom is its present name: remove it$/,
  ],
  'two services are renamed from the same one': [
    [
      untyped['service']?.('shop', { owns: [Ordering], runs: [order], renamedFrom: 'till' }),
      untyped['service']?.('stall', { owns: [], runs: [], renamedFrom: 'till' }),
    ],
    /^stall: is renamed from till, and so is shop: only one can take over its state$/,
  ],
}

describe('start refuses, as types do in TypeScript, if', () => {
  for (const [name, [services, expected]] of Object.entries(DECLARED))
    test(name, async () => {
      const [complaint, ...others] = await refused(services)
      assert.deepEqual(others, [])
      assert.match(`${complaint?.path}: ${complaint?.message}`, expected)
    })

  test('an entity evolves by an event that no entity may emit', async () => {
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
      /^has an evolve rule in hearing, but no entity may emit it: add/,
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

test('following the cures starts the services: the tool passed, the contract listed in remote', async () => {
  const cured = service('shop', { owns: [Ordering], runs: [order, mail, payments] })
  const options = { tools: { mailer: {} }, remote: [Payments] }
  await using app = await start([cured], memory(), options)
  assert.equal((await app.status()).length, 3)
})

test('a topic that exists with other settings is reported and not changed', async () => {
  const backend = memory()
  await backend.log.declare([{ name: 'ordering.events', partitions: 5, strategy: 'murmur2' }])
  await assert.rejects(start([shop], backend), (fault) => {
    assert.ok(fault instanceof Fault)
    assert.equal(fault.code, 'TOPIC_DIFFERS')
    assert.equal(fault.issues.length, 1)
    assert.equal(fault.issues[0]?.path, 'ordering.events')
    assert.match(fault.issues[0]?.message ?? '', /5.*8|8.*5/)
    return true
  })
  assert.equal((await backend.log.ends(['ordering.events'])).length, 5)
})

test('an option of the engine that is unknown or out of bounds starts nothing', async () => {
  for (const engine of [{ leaseMs: 1 }, { leaseMS: 1_000 }, { unitRecordsMax: 1.5 }])
    await assert.rejects(start([shop], memory(), { engine: engine as never }), /OPTION_INVALID/)
})
