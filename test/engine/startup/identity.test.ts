// Stored identities of consumers: what start must refuse, and what it must not.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { command, contract, entity, event, handler, hours, projection, query } from 'throughline'
import { Fault, saga, send, service, start, tool } from 'throughline'
import type { StartOptions } from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import { EMPTY_UNIT } from '../../../src/ports/empty-unit.ts'
import type { Backend } from '../../../src/ports/event-store.ts'
import type { Service } from '../../../src/rules/service.ts'
import { caughtUp, createSimulation } from '../support/simulation.ts'

const Id = z.object({ id: z.string() })
const Orders = contract('orders', { key: 'id' }, { Place: command(Id), Placed: event(Id) })
const Bills = contract(
  'bills',
  { key: 'id' },
  { Write: command(Id), Written: event(Id), Count: query(Id, { answers: z.number() }) },
)

const order = entity(
  'order',
  { of: Orders, id: 'id', initial: 0 },
  {
    decide: (on) => [on(Orders.Place, (data) => Orders.Placed(data))],
    evolve: (on) => [on(Orders.Placed, (_, count) => count + 1)],
  },
)
const shop = service('shop', { owns: [Orders], runs: [order] })

const billOf = (name: string, options: object = {}) =>
  entity(
    name,
    { of: Bills, id: 'id', initial: 0, ...options },
    {
      decide: (on) => [on(Bills.Write, (data) => Bills.Written(data))],
      evolve: (on) => [on(Bills.Written, (_, count) => count + 1)],
    },
  )

/** A handler that records its calls. */
function listener(name: string, options: object = {}, heard: string[] = []) {
  const rule = handler(name, options, (on) => [
    on(Orders.Placed, ({ id }) => void heard.push(`${name} ${id}`)),
  ])
  return { rule, heard }
}

const boardOf = (name: string, options: object = {}) =>
  projection(name, { by: 'id', row: tool<number>(), ...options }, (on) => [
    on(Orders.Placed, (_, count) => (count ?? 0) + 1),
  ])

function world(seed = 3) {
  const stage = createSimulation(memory, seed)
  const { clock } = stage
  const run = (
    services: readonly Service[],
    options: StartOptions = {},
    backend: Backend = stage.instance().backend,
  ) => {
    const instance = { clock: stage.instance().clock, onRuleError: () => undefined, ...options }
    return clock.until(start(services, backend, instance))
  }
  /** Runs services until they have handled what they are sent. */
  const live = async (services: readonly Service[], ids: readonly string[] = [], options = {}) => {
    const app = await run(services, options)
    for (const id of ids) await clock.until(app.send(Orders.Place({ id })))
    await clock.until(caughtUp(clock, app))
    await clock.until(app.stop())
  }
  return { stage, clock, run, live }
}

async function refusal(started: Promise<unknown>): Promise<readonly string[]> {
  const fault = await started.then(
    () => assert.fail('it has started'),
    (cause: unknown) => cause,
  )
  assert.ok(fault instanceof Fault && fault.code === 'START_REFUSED', String(fault))
  return fault.issues.map(({ path, message }) => `${path}: ${message}`)
}

test('instances of old code start and restart beside new ones in a rolling deploy', async () => {
  const { live, run, clock } = world()
  const { rule: old, heard } = listener('mail')
  const { rule: renamed } = listener('letters', { renamedFrom: 'mail' }, heard)
  const former = service('post', { runs: [old] })
  await live([shop, former], ['a'])
  const today = service('office', { renamedFrom: 'post', runs: [renamed] })
  const app = await run([shop, today])
  const beside = await run([shop, former])
  await clock.until(app.send(Orders.Place({ id: 'b' })))
  await clock.until(caughtUp(clock, app))
  await clock.until(beside.stop())
  await live([shop, former], ['c'])
  await clock.until(app.stop())
  assert.deepEqual(heard.map((each) => each.slice(-1)).toSorted(), ['a', 'b', 'c'])
})

test('instances that start at the same time register a new consumer once', async () => {
  const { live, run, clock } = world()
  await live([shop], ['a'])
  await clock.advance(hours(1))
  const { rule, heard } = listener('mail', { startFrom: 'now' })
  const post = service('post', { runs: [rule] })
  const apps = await Promise.all([run([shop, post]), run([shop, post]), run([shop, post])])
  const [app] = apps
  await clock.until(app.send(Orders.Place({ id: 'b' })))
  await clock.until(caughtUp(clock, app))
  assert.deepEqual(heard, ['mail b'])
  for (const each of apps) await clock.until(each.stop())
})

test('services started one after another for the first time need no startFrom', async () => {
  const { live, clock } = world()
  await live([shop], ['a'])
  await clock.advance(60_000)
  const { rule, heard } = listener('mail')
  await live([service('post', { runs: [rule] })], [], { remote: [Orders] })
  assert.deepEqual(heard, ['mail a'])
})

test('historyAgeMs sets what counts as history', async () => {
  const { live, run, clock } = world()
  await live([shop], ['a'])
  await clock.advance(60_000)
  const post = service('post', { runs: [listener('mail').rule] })
  const options = { remote: [Orders], engine: { historyAgeMs: 1_000 } }
  assert.match((await refusal(run([post], options))).join('\n'), /^post\/mail: .*\(1 records\)/)
})

describe('in a store that is not shared', () => {
  test('a renamed service without a contract is refused', async () => {
    const { stage, live, run } = world()
    await live([shop, service('post', { runs: [listener('mail').rule] })], ['a'])
    const { log, store } = stage.instance().backend
    const alone = { log, store: { ...store, can: { ...store.can, shared: false } } }
    const office = service('office', { runs: [listener('mail').rule] })
    const complaints = await refusal(run([shop, office], {}, alone))
    assert.match(
      complaints.join('\n'),
      /^office: is new, and post, .*renamedFrom: 'post' .*mail \(1 /,
    )
  })
})

test('a handler that reads another topic must say where it starts there', async () => {
  const { live, run, clock } = world()
  const bills = service('bills', { owns: [Bills], runs: [billOf('bill')] })
  const all = [shop, bills]
  const { rule: mail } = listener('mail')
  await live([...all, service('post', { runs: [mail] })], ['a'])
  const app = await run(all)
  await clock.until(app.send(Bills.Write({ id: 'x' })))
  await clock.until(caughtUp(clock, app))
  await clock.until(app.stop())
  await clock.advance(hours(1))
  const heard: string[] = []
  const more = (options: object) =>
    handler('mail', options, (on) => [
      on(Orders.Placed, ({ id }) => void heard.push(id)),
      on(Bills.Written, ({ id }) => void heard.push(id)),
    ])
  const complaints = await refusal(run([...all, service('post', { runs: [more({})] })]))
  assert.match(complaints.join('\n'), /^post\/mail: is new to bills\.events \(1 records\): add/)
  await live([...all, service('post', { runs: [more({ startFrom: 'now' })] })], ['b'])
  assert.deepEqual(heard, ['b'])
})

describe('an entity', () => {
  test('processes commands that waited for it, however old', async () => {
    const { live, run, clock } = world()
    const biller = saga('biller', { by: 'id', initial: {}, sends: [Bills.Write] }, (on) => [
      on(Orders.Placed, (data) => send(Bills.Write(data))),
    ])
    await live([service('shop', { owns: [Orders], runs: [order, biller] })], ['a'], {
      remote: [Bills],
    })
    await clock.advance(hours(1))
    const app = await run([service('bills', { owns: [Bills], runs: [billOf('bill')] })])
    const status = await clock.until(caughtUp(clock, app))
    assert.deepEqual([status[0]?.consumer, status[0]?.completed], ['bills/bill', 1])
    await clock.until(app.stop())
  })

  test('that takes over commands of another must say whether it decides them again', async () => {
    const { run, clock, live } = world()
    const bills = (rule: ReturnType<typeof billOf>) =>
      service('bills', { owns: [Bills], runs: [rule] })
    const app = await run([bills(billOf('bill'))])
    await clock.until(app.send(Bills.Write({ id: 'x' })))
    await clock.until(caughtUp(clock, app))
    await clock.until(app.stop())
    assert.match((await refusal(run([bills(billOf('note'))]))).join('\n'), /'bill' .*'now'/)
    await live([bills(billOf('note', { startFrom: 'now' }))])
    await live([bills(billOf('note'))])
  })
})

describe('a projection', () => {
  test('that is new starts at the beginning by default', async () => {
    const { live, run, clock } = world()
    await live([shop], ['a', 'b'])
    await clock.advance(hours(1))
    const app = await run([shop, service('boards', { runs: [boardOf('board')] })])
    const status = await clock.until(caughtUp(clock, app))
    assert.equal(status.find(({ consumer }) => consumer === 'boards/board')?.completed, 2)
    await clock.until(app.stop())
  })

  test('replaces one that was removed earlier', async () => {
    const { live } = world()
    const boards = (...runs: readonly ReturnType<typeof boardOf>[]) => service('boards', { runs })
    await live([shop, boards(boardOf('board'))], ['a'])
    await live([shop, boards()])
    await live([shop, boards(boardOf('other'))])
  })
})

test('a name that now stands for another kind of rule is refused', async () => {
  const { live, run } = world()
  await live([shop, service('post', { runs: [listener('mail').rule] })], ['a'])
  const complaints = await refusal(run([shop, service('post', { runs: [boardOf('mail')] })]))
  assert.match(
    complaints[0] ?? '',
    /^post\/mail: is now of kind projection and was of kind handler/,
  )
})

test('renamedFrom a rule that has run beside it is refused', async () => {
  const { live, run } = world()
  const two = [listener('mail').rule, listener('letters').rule]
  await live([shop, service('post', { runs: two })], ['a'])
  const { rule } = listener('letters', { renamedFrom: 'mail' })
  const complaints = await refusal(run([shop, service('post', { runs: [rule] })]))
  assert.match(
    complaints.join('\n'),
    /^post\/letters: has run under both names, letters and mail: remove/,
  )
})

test('the former name of a rule is free for another rule', async () => {
  const { live } = world()
  const { rule: mail, heard } = listener('mail')
  await live([shop, service('post', { runs: [mail] })], ['a'])
  const { rule: letters } = listener('letters', { renamedFrom: 'mail' }, heard)
  const { rule: other } = listener('mail', { startFrom: 'now' }, heard)
  const post = service('post', { runs: [letters, other] })
  await live([shop, post], ['b'])
  await live([shop, post], ['c'])
  const expected = ['letters b', 'letters c', 'mail a', 'mail b', 'mail c']
  assert.deepEqual(heard.toSorted(), expected)
})

describe('data of a version without identities', () => {
  const forgotten = async () => {
    const one = world()
    const { rule, heard } = listener('mail')
    await one.live([shop, service('post', { runs: [rule] })], ['a'])
    const { store } = one.stage.backend
    const rows = await one.clock.until(store.scan({ table: 'throughline.catalog', limit: 100 }))
    for (const { table, key, version, body } of rows) {
      const isIdentity = key.startsWith('identity:')
      if (key.includes(':') && !isIdentity) continue
      const before = body.replaceAll(/"id":"[^"]*",/g, '')
      const row = { table, key, expected: version, version: version + 1 }
      await one.clock.until(
        store.commit({ ...EMPTY_UNIT, rows: [{ ...row, body: isIdentity ? null : before }] }),
      )
    }
    await one.clock.advance(hours(1))
    return { ...one, rule, heard }
  }

  test('continues from its progress', async () => {
    const { live, rule, heard } = await forgotten()
    await live([shop, service('post', { runs: [rule] })], ['b'])
    assert.deepEqual(heard, ['mail a', 'mail b'])
  })

  test('continues under another name, and is refused without renamedFrom', async () => {
    const { live, run, heard } = await forgotten()
    const { rule: silent } = listener('letters')
    const complaints = await refusal(run([shop, service('post', { runs: [silent] })]))
    assert.match(complaints.join('\n'), /^post\/letters: .*renamedFrom: 'mail'/)
    const { rule: renamed } = listener('letters', { renamedFrom: 'mail' }, heard)
    await live([shop, service('post', { runs: [renamed] })], ['b'])
    assert.deepEqual(heard, ['mail a', 'letters b'])
  })
})
