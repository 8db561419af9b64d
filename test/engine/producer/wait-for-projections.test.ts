// Read your own writes: an operation waits for the projections that subscribe to its events.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { App, Fault } from 'throughline'
import { command, contract, entity, event, finish, projection, query, refuse } from 'throughline'
import { become, saga, send, service, start, tool } from 'throughline'
import { memory } from 'throughline/testing'
import type { Simulation } from '../support/simulation.ts'
import { anySchema, createSimulation } from '../support/simulation.ts'

interface Item {
  readonly id: string
}
const Item = anySchema<Item>()
const Shop = contract(
  'shop',
  { key: 'id' },
  {
    Order: command(Item, { refuses: ['no'] }),
    Ordered: event(Item),
    Ask: query(Item, { answers: anySchema<unknown>() }),
  },
)
const Mail = contract('mail', { key: 'id' }, { Post: command(Item), Posted: event(Item) })

const order = entity(
  'order',
  { of: Shop, id: 'id', initial: 0 },
  {
    decide: (on) => [
      on(Shop.Order, (item) => (item.id === 'refused' ? refuse('no') : Shop.Ordered(item))),
    ],
    evolve: (on) => [on(Shop.Ordered, (_, count) => count + 1)],
  },
)
const letter = entity(
  'letter',
  { of: Mail, id: 'id', initial: 0 },
  {
    decide: (on) => [on(Mail.Post, (item) => Mail.Posted(item))],
    evolve: (on) => [on(Mail.Posted, (_, count) => count + 1)],
  },
)
const posting = saga('posting', { by: 'id', initial: 0, sends: [Mail.Post] }, (on) => [
  on(Shop.Ordered, (item) => [become(1), send(Mail.Post(item))]),
  on(Mail.Posted, () => finish()),
])

/** Whether the rule of the list throws, by id; a different source text does not show it. */
interface Bend {
  readonly broken?: Set<string>
  readonly version?: number
  /** What each event adds to the count. Default: 1. */
  readonly step?: number
}

function servicesOf({ broken = new Set(), version = 1, step = 1 }: Bend) {
  const counted = (item: Item, row: { count: number } | undefined) => {
    if (broken.has(item.id)) throw new Error('the list is broken')
    return { count: (row?.count ?? 0) + step }
  }
  const list = projection('list', { by: 'id', row: tool<{ count: number }>(), version }, (on) => [
    on(Shop.Ordered, counted),
    on(Shop.Order.refused, () => ({ count: -1 })),
  ])
  const outbox = projection('outbox', { by: 'id', row: tool<{ isPosted: true }>() }, (on) => [
    on(Mail.Posted, () => ({ isPosted: true })),
  ])
  const services = [
    service('shop', { owns: [Shop], runs: [order, posting] }),
    service('mail', { owns: [Mail], runs: [letter] }),
    service('views', { owns: [], runs: [list] }),
    service('boxes', { owns: [], runs: [outbox] }),
  ]
  return { services, list, outbox }
}

interface World {
  readonly stage: Simulation
  readonly app: App
  readonly list: ReturnType<typeof servicesOf>['list']
  readonly outbox: ReturnType<typeof servicesOf>['outbox']
  until<T>(promise: Promise<T>): Promise<T>
  countOf(id: string, table?: string): Promise<unknown>
  order(id: string): ReturnType<App['send']>
}

async function worldOn(stage: Simulation, bend: Bend = {}): Promise<World> {
  const { backend, clock, random } = stage.instance()
  const until = <T>(promise: Promise<T>): Promise<T> => stage.clock.until(promise)
  const { services, ...projections } = servicesOf(bend)
  const engine = { leaseMs: 1_000, retryDelayMs: 50, retryDelayMsMax: 100 }
  const told = { onRuleError: () => undefined }
  const app = await until(start(services, backend, { clock, random, engine, ...told }))
  return {
    stage,
    app,
    ...projections,
    until,
    async countOf(id, table = 'views.list') {
      const [row] = await until(stage.backend.store.get([{ table, key: id }]))
      return row && JSON.parse(row.body)
    },
    order: (id) => until(app.send(Shop.Order({ id }), { id: `order-${id}` })),
  }
}

const soon = (stage: Simulation, ms = 500): AbortSignal => {
  const stop = new AbortController()
  stage.clock.after(ms, () => stop.abort(new Error('enough')))
  return stop.signal
}

const missing = (message: RegExp) => (fault: Fault) => {
  assert.equal(fault.code, 'NOT_PROJECTED')
  assert.match(fault.message, message)
  return true
}

describe('an operation is projected', () => {
  test('once projections have folded what its unit published', async () => {
    const { until, countOf, order: place, app } = await worldOn(createSimulation(memory, 1))
    let isLate = false
    for (const id of ['a', 'b', 'c', 'd', 'a']) {
      const operation = await until(app.send(Shop.Order({ id })))
      await until(operation.accepted())
      isLate ||= (await countOf(id)) === undefined
      assert.deepEqual(await until(operation.projected()), { status: 'accepted' })
      assert.notEqual(await countOf(id), undefined)
    }
    assert.ok(isLate, 'rows follow a moment later')
    assert.deepEqual(await countOf('a'), { count: 2 })
    const refused = await until((await place('refused')).projected())
    assert.deepEqual(refused, { status: 'refused', code: 'no', issues: [] })
    assert.deepEqual(await countOf('refused'), { count: -1 })
    await until(app.stop())
  })

  test('not while a projection is paused, which it reports; it can be asked after a restart', async () => {
    const stage = createSimulation(memory, 2)
    const first = await worldOn(stage)
    await first.until(first.app.settled())
    await first.until(first.app.pause('views'))
    const operation = await first.order('a')
    await assert.rejects(
      first.until(operation.projected({ signal: soon(stage) })),
      missing(/shop\.Order order-a\n {2}- views\/list: has 1 to read, and its service is paused/),
    )
    await first.until(first.app.stop())
    await assert.rejects(operation.projected(), { code: 'APP_STOPPING' })
    const second = await worldOn(stage)
    const asked = second.app.operation(Shop.Order, 'order-a').projected()
    await stage.clock.advance(2_000)
    assert.equal(await second.countOf('a'), undefined)
    await second.until(second.app.resume('views'))
    await second.until(asked)
    assert.deepEqual(await second.countOf('a'), { count: 1 })
    await second.until(second.app.stop())
  })

  test('not while its own message is held, whatever messages of others are held', async () => {
    const stage = createSimulation(memory, 3)
    const broken = new Set(['bad'])
    const { until, order: place, countOf, app } = await worldOn(stage, { broken })
    const bad = await place('bad')
    await assert.rejects(
      until(bad.projected({ signal: soon(stage) })),
      missing(/views\/list: holds bad behind shop\.Ordered .*: the list is broken/),
    )
    await until((await place('good')).projected())
    assert.deepEqual(await countOf('good'), { count: 1 })
    const waiting = bad.projected()
    broken.clear()
    await until(waiting)
    assert.deepEqual(await countOf('bad'), { count: 1 })
    await until(app.stop())
  })

  test('not before rebuilt rows have replaced the old ones', async () => {
    const stage = createSimulation(memory, 4)
    const first = await worldOn(stage)
    await first.until((await first.order('a')).projected())
    await first.until(first.app.stop())
    const second = await worldOn(stage, { version: 2 })
    await second.until(second.app.pause('views'))
    const operation = await second.order('b')
    await stage.clock.advance(2_000)
    await second.until(second.app.resume('views'))
    await second.until(operation.projected())
    const rows = [await second.countOf('a'), await second.countOf('b')]
    assert.deepEqual(rows, [{ count: 1 }, { count: 1 }])
    await second.until(second.app.stop())
  })

  test('with what sagas published, when it is asked after they have finished', async () => {
    const { until, order: place, countOf, app, outbox } = await worldOn(createSimulation(memory, 5))
    await until(app.pause('boxes'))
    const operation = await place('a')
    await until(operation.projected())
    assert.deepEqual(await until(operation.settled()), { status: 'completed' })
    const asked = operation.projected({ of: outbox })
    assert.equal(await countOf('a', 'boxes.outbox'), undefined)
    await until(app.resume('boxes'))
    await until(asked)
    assert.deepEqual(await countOf('a', 'boxes.outbox'), { isPosted: true })
    await assert.rejects(until(operation.projected({ of: servicesOf({}).list })), {
      code: 'PROJECTION_NOT_FOUND',
    })
    await until(app.stop())
  })

  test('not while its command is undecided', async () => {
    const stage = createSimulation(memory, 6)
    const { until, order: place, app } = await worldOn(stage)
    await until(app.pause('shop'))
    const operation = await place('a')
    assert.deepEqual(await until(operation.state()), { status: 'pending', isAccepted: false })
    await assert.rejects(
      until(operation.projected({ signal: soon(stage) })),
      missing(/operation: the command is not decided yet/),
    )
    await until(app.resume('shop'))
    await until(app.pause('mail'))
    await until(operation.projected())
    assert.deepEqual(await until(operation.state()), { status: 'pending', isAccepted: true })
    await until(app.stop())
  })
})

for (const isHeld of [false, true])
  test(`an operation is not projected before its row is rebuilt, ${isHeld ? 'held before' : 'there before'}`, async () => {
    const stage = createSimulation(memory, 4)
    const former = await worldOn(stage, { broken: new Set(isHeld ? ['a'] : []) })
    await former.until((await former.order('a')).accepted())
    await stage.clock.advance(500)
    await former.until(former.app.stop())
    const { app, until, countOf, list } = await worldOn(stage, { version: 2, step: 10 })
    const operation = app.operation(Shop.Order, 'order-a')
    const options = { of: list, signal: AbortSignal.abort(new Error('at once')) }
    const isProjected = (): Promise<boolean> =>
      until(operation.projected(options)).then(
        () => true,
        (fault: Fault) => !missing(/views\/list: /)(fault),
      )
    while (!(await isProjected())) await stage.clock.advance(1)
    assert.deepEqual(await countOf('a'), { count: 10 })
    await until(app.stop())
  })

test('an operation is not projected while its refusal is held, also when retention has taken its command', async () => {
  const stage = createSimulation(memory, 4)
  const { backend, clock, random } = stage.instance()
  const Kiosk = contract(
    'kiosk',
    { key: 'id', retention: { commands: { ageMs: 1_000 } } },
    { Buy: command(Item, { refuses: ['no'] }), Bought: event(Item) },
  )
  const purchase = entity(
    'purchase',
    { of: Kiosk, id: 'id', initial: 0 },
    {
      decide: (on) => [
        on(Kiosk.Buy, (item) => (item.id === 'free' ? Kiosk.Bought(item) : refuse('no'))),
      ],
      evolve: (on) => [on(Kiosk.Bought, (_, count) => count + 1)],
    },
  )
  const log = projection('log', { by: 'id', row: tool<object>() }, (on) => [
    on(Kiosk.Buy.refused, () => {
      throw new Error('the log is broken')
    }),
  ])
  const services = [service('kiosk', { owns: [Kiosk], runs: [purchase, log] })]
  const engine = { leaseMs: 1_000, retryDelayMs: 50, retryDelayMsMax: 100, retentionCheckMs: 100 }
  const hooks = { onRuleError: () => undefined }
  const app = await stage.clock.until(start(services, backend, { clock, random, engine, ...hooks }))
  const operation = await stage.clock.until(app.send(Kiosk.Buy({ id: 'a' }), { id: 'buy' }))
  await stage.clock.until(operation.accepted())
  await stage.clock.advance(20_000)
  const ends = await stage.clock.until(backend.log.ends(['kiosk.commands']))
  assert.ok(ends.some(({ first }) => first > 0))
  await assert.rejects(
    stage.clock.until(operation.projected({ signal: soon(stage) })),
    missing(/kiosk\/log: holds a behind .*: the log is broken/),
  )
  await stage.clock.until(app.stop())
})
