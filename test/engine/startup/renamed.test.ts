// Renamed rules and services over the same data: stored work continues, and nothing runs twice. A
// rule that is new over old records must say where it starts.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { after, become, command, contract, entity, event, finish } from 'throughline'
import {
  Fault,
  handler,
  projection,
  query,
  queryHandler,
  refuse,
  saga,
  service,
  start,
  tool,
} from 'throughline'
import { hours, minutes } from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import { overviewOf } from '../../../src/control/overview.ts'
import { openOfflineSystem } from '../../../src/control/offline-system.ts'
import type { Backend } from '../../../src/ports/event-store.ts'
import type { StartFrom } from '../../../src/rules/rule.ts'
import type { Simulation } from '../support/simulation.ts'
import { caughtUp, createSimulation } from '../support/simulation.ts'

const Id = z.object({ id: z.string() })
const Count = z.object({ count: z.number() })
const Till = contract(
  'till',
  { key: 'id' },
  {
    Pay: command(Id),
    Paid: event(Id),
    Ship: command(Id, { refuses: ['lost'] }),
    Shipped: event(Id),
    State: query(Id, { answers: Count }),
    Row: query(Id, { answers: Count }),
  },
)

interface Outside {
  tell(id: string, effectKey: string): void
}

/** The current and the former name of a rule or a service. */
interface Called {
  readonly name: string
  readonly renamedFrom?: string
  readonly startFrom?: StartFrom
}
const PARTS = ['service', 'entity', 'saga', 'projection', 'handler'] as const
type Part = (typeof PARTS)[number]
type Names = Readonly<Record<Part, Called>>

const FIRST: Names = {
  service: { name: 'shop' },
  entity: { name: 'till' },
  saga: { name: 'flow' },
  projection: { name: 'board' },
  handler: { name: 'mail' },
}

/** The same code under other names. */
function code({ service: ofService, ...of }: Names) {
  const { name: entityName, ...ofEntity } = of.entity
  const till = entity(
    entityName,
    { of: Till, id: 'id', initial: 0, ...ofEntity },
    {
      decide: (on) => [
        on(Till.Pay, (data) => Till.Paid(data)),
        on(Till.Ship, (data) => (data.id === 'b' ? refuse('lost') : Till.Shipped(data))),
      ],
      evolve: (on) => [
        on(Till.Paid, (_, count) => count + 1),
        on(Till.Shipped, (_, count) => count + 1),
      ],
    },
  )
  const { name: sagaName, ...ofSaga } = of.saga
  const flow = saga(
    sagaName,
    { by: 'id', initial: { is: 'new' }, sends: [Till.Ship], ...ofSaga },
    (on) => [
      on(Till.Paid, (data) => [become({ is: 'paid' }), after(minutes(2), Till.Ship(data))]),
      on(Till.Shipped, () => finish()),
      on.refused(Till.Ship, () => finish({ status: 'lost' })),
    ],
  )
  const { name: projectionName, startFrom: _, ...ofProjection } = of.projection
  const board = projection(
    projectionName,
    { by: 'id', row: tool<{ count: number }>(), ...ofProjection },
    (on) => [on(Till.Paid, (_data, row) => ({ count: (row?.count ?? 0) + 1 }))],
  )
  const { name: handlerName, ...ofHandler } = of.handler
  const mail = handler(handlerName, { uses: { outside: tool<Outside>() }, ...ofHandler }, (on) => [
    on(Till.Paid, ({ id }, { outside }, { effectKey }) => outside.tell(id, effectKey)),
  ])
  const answers = queryHandler('answers', { of: Till, reads: [till, board] }, (on) => [
    on(Till.State, async ({ id }, read) => ({ count: (await read(till).get(id)) ?? 0 })),
    on(Till.Row, async ({ id }, read) => (await read(board).get(id)) ?? { count: 0 }),
  ])
  const { name: serviceName, ...rest } = ofService
  return service(serviceName, { owns: [Till], runs: [till, flow, board, mail, answers], ...rest })
}

/** Names, some of them changed. */
const withOthers = (...others: readonly (readonly [Part, Called])[]): Names => ({
  ...FIRST,
  ...Object.fromEntries(others),
})

function world() {
  const stage = createSimulation(memory, 7)
  const told: string[] = []
  const effectKeys = new Set<string>()
  const outside = {
    isBroken: true,
    tell(id: string, effectKey: string) {
      if (id === 'b' && this.isBroken) throw new Error('moved')
      told.push(id)
      effectKeys.add(effectKey)
    },
  }
  const run = (names: Names, backend: Backend = stage.instance().backend) => {
    const { clock } = stage.instance()
    const options = { clock, tools: { outside }, onRuleError: () => undefined }
    return stage.clock.until(start([code(names)], backend, options))
  }
  return { stage, outside, told, effectKeys, run }
}

type World = ReturnType<typeof world>

/** Two are paid; the letter about one is held, and both sagas wait for their timers. */
async function firstLife({ stage, run }: World): Promise<void> {
  const app = await run(FIRST)
  for (const id of ['a', 'b'])
    await stage.clock.until(app.send(Till.Pay({ id }), { id: `pay-${id}` }))
  await stage.clock.advance(5_000)
  await stage.clock.until(app.stop())
}

async function typesIn({ backend: { log }, clock }: Simulation) {
  const topics = ['till.commands', 'till.events']
  const ends = await clock.until(log.ends(topics))
  const from = ends.map(({ topic, partition, first }) => ({ topic, partition, next: first }))
  const slices = await clock.until(log.read(from, { records: 1_000, bytes: 1e7 }, { ms: 0 }))
  const types: Record<string, number> = {}
  for (const { type: wire } of slices.flatMap(({ records }) => records))
    types[wire] = (types[wire] ?? 0) + 1
  return types
}

async function refusal(started: Promise<unknown>): Promise<readonly string[]> {
  const fault = await started.then(
    () => assert.fail('it has started'),
    (cause: unknown) => cause,
  )
  assert.ok(fault instanceof Fault && fault.code === 'START_REFUSED', String(fault))
  return fault.issues.map(({ path, message }) => `${path}: ${message}`)
}

describe('after a rename with renamedFrom, stored work continues and nothing runs twice', () => {
  const renamed = (part: Part): readonly [Part, Called] => {
    const { name } = FIRST[part]
    return [part, { name: `${name}-2`, renamedFrom: name }]
  }
  const cases = PARTS.map((part) => [part, [renamed(part)]] as const)
  for (const [part, others] of [...cases, ['everything', PARTS.map(renamed)] as const])
    test(part, async () => {
      const one = world()
      const { stage, outside, told, effectKeys, run } = one
      await firstLife(one)
      const names = withOthers(...others)
      let app = await run(names)
      outside.isBroken = false
      await stage.clock.advance(minutes(4))
      await stage.clock.until(caughtUp(stage.clock, app))
      const expected = { 'till.Pay': 2, 'till.Paid': 2, 'till.Ship': 2, 'till.Shipped': 1 }
      assert.deepEqual(await typesIn(stage), { ...expected, 'till.ShipRefused': 1 })
      assert.deepEqual(told.toSorted(), ['a', 'b'])
      const prefixes = [...effectKeys].map((key) => key.split(':')[0])
      assert.deepEqual(prefixes, ['shop/mail', 'shop/mail'], 'outsiders know it by the same key')
      for (const [id, state] of [
        ['a', { status: 'completed' }],
        ['b', { status: 'lost' }],
      ] as const)
        assert.deepEqual(
          await stage.clock.until(app.operation(Till.Pay, `pay-${id}`).state()),
          state,
        )
      assert.deepEqual(await stage.clock.until(app.ask(Till.State({ id: 'a' }))), { count: 2 })
      assert.deepEqual(await stage.clock.until(app.ask(Till.Row({ id: 'a' }))), { count: 1 })
      const status = await stage.clock.until(app.status())
      const { name } = names.service
      assert.deepEqual(
        status.map(({ consumer }) => consumer).toSorted(),
        [names.entity, names.saga, names.projection, names.handler]
          .map((each) => `${name}/${each.name}`)
          .toSorted(),
      )
      for (const { consumer, completed } of status)
        if (consumer === `${name}/${names.handler.name}`) assert.equal(completed, 2)
      await stage.clock.until(app.stop())
      // The mapping is stored, so that the next code may leave renamedFrom out.
      const bare = PARTS.map((each) => [each, { name: names[each].name }] as const)
      app = await run(withOthers(...bare))
      await stage.clock.until(app.send(Till.Pay({ id: 'a' }), { id: 'again' }))
      await stage.clock.until(caughtUp(stage.clock, app))
      assert.deepEqual(await stage.clock.until(app.ask(Till.Row({ id: 'a' }))), { count: 2 })
      assert.deepEqual(told.toSorted(), ['a', 'a', 'b'])
      await stage.clock.until(app.stop())
    })
})

describe('after a rename without renamedFrom, start fails and names both fixes', () => {
  const CURES: Readonly<Record<Part, RegExp>> = {
    service: /^shop-2: .*renamedFrom: 'shop' .*startFrom: 'beginning' or 'now' to till \(2 /,
    entity: /^shop\/till-2: .*till\.commands \(2 .*renamedFrom: 'till' .*startFrom: 'beginning' or/,
    saga: /^shop\/flow-2: .*renamedFrom: 'flow' .*startFrom: 'beginning' or 'now'/,
    projection: /^shop\/board-2: .*renamedFrom: 'board' .*startFrom: 'beginning'$/,
    handler: /^shop\/mail-2: .*renamedFrom: 'mail' .*startFrom: 'beginning' or 'now'/,
  }
  for (const part of PARTS)
    test(part, async () => {
      const one = world()
      await firstLife(one)
      const names = withOthers([part, { name: `${FIRST[part].name}-2` }])
      const complaints = await refusal(one.run(names))
      assert.equal(complaints.length, 1, complaints.join('\n'))
      assert.match(complaints[0] ?? '', CURES[part])
      // Nothing was changed: the former code runs on.
      const app = await one.run(FIRST)
      one.outside.isBroken = false
      await one.stage.clock.until(caughtUp(one.stage.clock, app))
      assert.deepEqual(one.told, ['a', 'b'])
      await one.stage.clock.until(app.stop())
    })

  test('all of them at once', async () => {
    const one = world()
    await firstLife(one)
    const others = ['entity', 'saga', 'handler'] as const
    const names = withOthers(...others.map((part) => [part, { name: 'x'.concat(part) }] as const))
    assert.equal((await refusal(one.run(names))).length, 3)
  })
})

describe('a handler that is new on a topic with a history', () => {
  const added = (startFrom?: StartFrom) => {
    const letters: string[] = []
    const letter = handler('letter', startFrom === undefined ? {} : { startFrom }, (on) => [
      on(Till.Paid, ({ id }) => void letters.push(id)),
    ])
    const shop = code(FIRST)
    return { letters, service: service('shop', { ...shop, runs: [...shop.runs, letter] }) }
  }
  const later = async (startFrom?: StartFrom, waitMs = hours(1)) => {
    const one = world()
    await firstLife(one)
    await one.stage.clock.advance(waitMs)
    const { letters, service: shop } = added(startFrom)
    const { backend, clock } = one.stage.instance()
    const options = { clock, tools: { outside: one.outside }, onRuleError: () => undefined }
    return { ...one, letters, go: () => one.stage.clock.until(start([shop], backend, options)) }
  }

  test('must say where it starts, and the error counts the records', async () => {
    const { go } = await later()
    assert.deepEqual(await refusal(go()), [
      `shop/letter: is new to till.events (2 records): add startFrom: 'beginning' or 'now'`,
    ])
  })

  for (const [startFrom, expected] of [
    ['beginning', ['a', 'b', 'c']],
    ['now', ['c']],
    [{ atMs: 0 }, ['a', 'b', 'c']],
  ] as const)
    test(`starts from ${JSON.stringify(startFrom)}, once`, async () => {
      const { stage, go, letters } = await later(startFrom)
      for (const id of ['c', 'd']) {
        const app = await go()
        if (id === 'c') await stage.clock.until(app.send(Till.Pay({ id })))
        await stage.clock.advance(5_000)
        await stage.clock.until(app.stop())
      }
      assert.deepEqual(letters.toSorted(), expected)
    })

  test('needs no startFrom if the records are recent', async () => {
    const { stage, go, letters } = await later(undefined, 60_000)
    const app = await go()
    await stage.clock.advance(5_000)
    assert.deepEqual(letters.toSorted(), ['a', 'b'])
    await stage.clock.until(app.stop())
  })

  test('is not new when it was removed and returns', async () => {
    const { stage, run, go, letters } = await later('now')
    for (const step of [go, () => run(FIRST), go]) {
      const app = await step()
      await stage.clock.until(app.send(Till.Pay({ id: `c${letters.length}` })))
      await stage.clock.advance(5_000)
      await stage.clock.until(app.stop())
    }
    assert.deepEqual(letters.toSorted(), ['c0', 'c1', 'c1'].toSorted())
  })
})

test('operators use and see current names, online and offline', async () => {
  const one = world()
  await firstLife(one)
  const { stage, outside, told, run } = one
  outside.isBroken = false
  const names = withOthers(
    ...PARTS.map((part) => {
      const { name } = FIRST[part]
      return [part, { name: `${name}-2`, renamedFrom: name }] as const
    }),
  )
  const app = await run(names)
  const until = stage.clock.until
  await until(app.pause('shop-2'))
  assert.deepEqual((await until(app.health())).paused, ['shop-2'])
  await until(app.resume('shop-2'))
  await until(caughtUp(stage.clock, app))
  await until(app.rewind('shop-2/mail-2', 'beginning'))
  await stage.clock.advance(5_000)
  await until(caughtUp(stage.clock, app))
  assert.deepEqual(told.toSorted(), ['a', 'a', 'b', 'b'])
  await assert.rejects(until(app.rewind('shop/mail', 'now')), /RULE_NOT_FOUND.*shop-2\/mail-2/)
  const { projection: rebuilt } = await until(app.rebuild('shop-2/board-2'))
  assert.equal(rebuilt, 'shop-2/board-2')
  assert.deepEqual(await until(app.ask(Till.Row({ id: 'a' }))), { count: 1 })
  const { groups } = await until(app.health())
  assert.deepEqual(groups.map(({ group }) => group).toSorted(), ['shop-2', 'shop-2/mail-2'])
  await until(app.stop())
  const { backend, clock } = stage.instance()
  const rest = await until(openOfflineSystem(backend, clock))
  const { services } = await until(overviewOf(rest))
  assert.deepEqual(
    services.map(({ name, rules }) => [name, rules.map((rule) => rule.name)]),
    [['shop-2', ['till-2', 'flow-2', 'board-2', 'mail-2']]],
  )
  assert.equal(services[0]?.rules[3]?.completed, 4)
})
