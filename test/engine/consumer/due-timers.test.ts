// Timers of sagas: durable, never early, and removed with their instance.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { LIMITS, after, become, command, contract, days, entity, event, finish } from 'throughline'
import { hours, minutes, saga, service, start } from 'throughline'
import type { Simulation } from 'throughline/testing'
import { memory, simulate } from 'throughline/testing'
import { z } from 'zod'
import type { Backend } from '../../../src/ports/event-store.ts'
import { runs } from '../../extent.ts'
import { testClock, createSimulation } from '../support/simulation.ts'

const Id = z.object({ id: z.string() })
const Cooking = contract(
  'cooking',
  { key: 'id' },
  {
    Begin: command(z.object({ id: z.string(), delayMs: z.number() })),
    Take: command(Id),
    Ring: command(Id),
    Begun: event(z.object({ id: z.string(), delayMs: z.number() })),
    Taken: event(Id),
    Rung: event(Id),
    Cold: event(z.object({ id: z.string().max(10) })),
  },
)

const pot = entity(
  'pot',
  { of: Cooking, id: 'id', initial: 'empty', emits: [Cooking.Begun, Cooking.Taken, Cooking.Rung] },
  {
    decide: (on) => [
      on(Cooking.Begin, (data) => Cooking.Begun(data)),
      on(Cooking.Take, (data) => Cooking.Taken(data)),
      on(Cooking.Ring, (data) => Cooking.Rung(data)),
    ],
    evolve: (on) => [
      on(Cooking.Begun, () => 'cooking'),
      on(Cooking.Taken, () => 'taken'),
      on(Cooking.Rung, () => 'rung'),
    ],
  },
)

/** Fires once, after the delay in the first message. */
const egg = saga(
  'egg',
  { by: 'id', initial: 'raw', sends: [Cooking.Ring], emits: [Cooking.Cold] },
  (on) => [
    on(Cooking.Begun, ({ id, delayMs }) => [
      become('cooking'),
      after(delayMs, Cooking.Ring({ id })),
      after(delayMs, Cooking.Cold({ id })),
    ]),
    on(Cooking.Taken, () => finish()),
    on(Cooking.Rung, () => finish()),
  ],
)
const kitchen = service('kitchen', { owns: [Cooking], runs: [pot, egg] })

/** When messages of a type were created, by key. */
async function timesOf(world: Simulation, type: string): Promise<ReadonlyMap<string, number>> {
  const messages = await world.messages()
  const found = messages.filter((message) => message.type === `cooking.${type}`)
  assert.equal(new Set(found.map(({ key }) => key)).size, found.length, `${type} comes once`)
  return new Map(found.map(({ key, at }) => [key, at]))
}

describe('a timer', () => {
  test('fires once, never early, and soon after it is due', async () => {
    const delays = fc.array(fc.integer({ min: 0, max: minutes(5) }), { minLength: 1, maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(fc.nat(), delays, async (seed, all) => {
        await using world = await simulate([kitchen], { seed, timeoutMs: hours(1) })
        for (const [at, delayMs] of all.entries())
          await world.send(Cooking.Begin({ id: `egg-${at}`, delayMs }))
        await world.settled()
        const begun = await timesOf(world, 'Begun')
        for (const type of ['Ring', 'Cold']) {
          const rung = await timesOf(world, type)
          for (const [at, delayMs] of all.entries()) {
            const took = Number(rung.get(`egg-${at}`)) - Number(begun.get(`egg-${at}`))
            assert.ok(took >= delayMs && took <= delayMs + 200, `${took} ms for ${delayMs} ms`)
          }
        }
      }),
      { numRuns: runs(4), seed: 31 },
    )
  })

  test('survives a crash, and fires later if its service was down', async () => {
    await using world = await simulate([kitchen], { seed: 2 })
    await world.send(Cooking.Begin({ id: 'a', delayMs: 60_000 }))
    await world.advance(1_000)
    await world.crash('kitchen')
    await world.advance(58_000)
    assert.equal((await timesOf(world, 'Ring')).size, 0)
    world.isolate('kitchen')
    await world.advance(minutes(9))
    world.heal('kitchen')
    const healedAt = world.now()
    await world.settled()
    const [rungAt] = (await timesOf(world, 'Ring')).values()
    assert.ok(Number(rungAt) >= healedAt && Number(rungAt) <= healedAt + 1_000)
  })

  test('may be due later than a Node timer can reach', async () => {
    // Days pass more quickly where nobody looks, and a call that is cut off is waited for.
    const engine = { deadlineMs: minutes(5) }
    await using world = await simulate([kitchen], { seed: 3, engine })
    await world.send(Cooking.Begin({ id: 'a', delayMs: days(26) }))
    await world.advance(1_000)
    world.isolate('kitchen')
    await world.advance(days(26) - 3_000)
    world.heal('kitchen')
    await world.advance(1_500)
    assert.equal((await timesOf(world, 'Ring')).size, 0)
    await world.advance(1_500)
    assert.equal((await timesOf(world, 'Ring')).size, 1)
  })

  test('does not fire after its saga instance has finished', async () => {
    await using world = await simulate([kitchen], { seed: 4 })
    await world.send(Cooking.Begin({ id: 'a', delayMs: 60_000 }))
    await world.send(Cooking.Take({ id: 'a' }))
    await world.send(Cooking.Begin({ id: 'b', delayMs: 60_000 }))
    await world.advance(59_000)
    await world.send(Cooking.Take({ id: 'b' }))
    await world.settled()
    await world.advance(minutes(5))
    assert.equal((await timesOf(world, 'Ring')).size, 0)
    assert.equal((await timesOf(world, 'Cold')).size, 0)
  })
})

test('a finished saga instance leaves no timers', async () => {
  const stage = createSimulation(memory, 9)
  const { backend, clock, random } = stage.instance()
  const app = await stage.clock.until(start([kitchen], backend, { clock, random }))
  const left = (): Promise<number> =>
    stage.clock
      .until(stage.backend.store.scan({ table: 'kitchen.timers', limit: 10 }))
      .then(({ length }) => length)
  const operation = await stage.clock.until(app.send(Cooking.Begin({ id: 'a', delayMs: 60_000 })))
  await stage.clock.advance(100)
  assert.equal(await left(), 2)
  await stage.clock.until(app.send(Cooking.Take({ id: 'a' })))
  await stage.clock.until(operation.settled())
  assert.equal(await left(), 0)
  await stage.clock.until(app.stop())
})

/** A saga of one step with its own timers. */
function sagaWith(name: string, effects: (id: string) => ReturnType<typeof after>[]) {
  return saga(
    name,
    { by: 'id', initial: 0, sends: [Cooking.Ring], emits: [Cooking.Cold] },
    (on) => [
      on(Cooking.Begun, ({ id }) => [become(1), ...(effects(id) as never[])]),
      on(Cooking.Rung, () => finish()),
    ],
  )
}

test('a timer with an invalid message blocks no other timer', async () => {
  const bad = sagaWith('bad', (id) =>
    id === 'bad' ? [after(1_000, Cooking.Cold({ id: 'far too long an id' }))] : [],
  )
  const worker = service('kitchen', { owns: [Cooking], runs: [pot, bad] })
  await using world = await simulate([worker], { seed: 5 })
  await world.send(Cooking.Begin({ id: 'bad', delayMs: 0 }))
  await world.advance(500)
  const [fault] = world.faults()
  assert.equal(fault?.consumer, 'kitchen/bad', 'the rule that sets it is at fault, and at once')
  assert.match(fault?.error ?? '', /does not fit its contract/)
  await world.advance(5_000)
  await world.send(Cooking.Begin({ id: 'good', delayMs: 0 }))
  await world.advance(5_000)
  assert.ok((await timesOf(world, 'Begun')).has('good'), 'the service is stuck')
})

test('an endless cycle of short timers ends with a fault, and blocks nothing else', async () => {
  const alarm = saga(
    'alarm',
    { by: 'id', initial: 0, sends: [Cooking.Ring], emits: [Cooking.Cold] },
    (on) => [
      on(Cooking.Begun, ({ id }) => after(999, Cooking.Ring({ id }))),
      on(Cooking.Rung, ({ id }) => after(999, Cooking.Cold({ id }))),
      on(Cooking.Cold, ({ id }) => after(999, Cooking.Ring({ id }))),
    ],
  )
  const worker = service('kitchen', { owns: [Cooking], runs: [pot, alarm] })
  await using world = await simulate([worker], { seed: 6 })
  await world.send(Cooking.Begin({ id: 'for-ever', delayMs: 0 }))
  await world.advance(300_000)
  await world.send(Cooking.Begin({ id: 'other', delayMs: 0 }))
  await world.advance(5_000)
  assert.ok((await timesOf(world, 'Begun')).has('other'), 'the service is stuck')
  const hops = (await world.messages()).map((message) => message.hops)
  assert.equal(Math.max(...hops), LIMITS.hopsMax)
  assert.match(world.faults().at(-1)?.error ?? '', /over 256 hops/)
})

test('timers of a second or more do not count as a cycle', async () => {
  const beat = saga('beat', { by: 'id', initial: 0, sends: [], emits: [Cooking.Cold] }, (on) => [
    on(Cooking.Begun, ({ id }) => after(1_000, Cooking.Cold({ id }))),
    on(Cooking.Cold, ({ id }) => after(1_000, Cooking.Cold({ id }))),
  ])
  const worker = service('kitchen', { owns: [Cooking], runs: [pot, beat] })
  await using world = await simulate([worker], { seed: 6 })
  await world.send(Cooking.Begin({ id: 'clock', delayMs: 0 }))
  await world.advance(400_000)
  const beats = (await world.messages()).filter(({ type }) => type === 'cooking.Cold')
  assert.ok(beats.length > LIMITS.hopsMax, `${beats.length} beats`)
  assert.deepEqual(world.faults(), [])
})

test('timers fire in the order of their due times, each for its own instance', async () => {
  const two = sagaWith('two', (id) => [
    after(2_000, Cooking.Ring({ id })),
    after(1_000, Cooking.Cold({ id })),
  ])
  const worker = service('kitchen', { owns: [Cooking], runs: [pot, two] })
  await using world = await simulate([worker], { seed: 7 })
  await world.send(Cooking.Begin({ id: 'a', delayMs: 0 }), { id: 'begin' })
  await world.settled()
  const messages = await world.messages()
  assert.deepEqual(
    messages.map(({ type }) => type.replace('cooking.', '')),
    ['Begin', 'Begun', 'Cold', 'Ring', 'Rung'],
  )
  const begun = messages[1]
  const ring = messages[3]
  assert.equal(ring?.cause, begun?.id)
  assert.equal(ring?.correlation, 'begin')
  assert.deepEqual(ring?.sender, { service: 'kitchen', rule: 'two', instance: 'a' })
})

test('an invalid delay is an error of the rule', async () => {
  for (const delayMs of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
    const worker = service('kitchen', {
      owns: [Cooking],
      runs: [pot, sagaWith('odd', (id) => [after(delayMs, Cooking.Ring({ id }))])],
    })
    await using world = await simulate([worker], { seed: 8 })
    await world.send(Cooking.Begin({ id: 'a', delayMs: 0 }))
    await world.advance(100)
    assert.match(world.faults()[0]?.error ?? '', /RULE_RETURNED.*delay/, String(delayMs))
  }
})

/** A backend of a single process, where no other instance sets timers. */
const ofOneProcess = ({ log, store }: Backend): Backend => {
  return { log, store: { ...store, can: { ...store.can, shared: false } } }
}

describe('a due timer fires', () => {
  test('although its process was killed while messages were held', async () => {
    const stage = createSimulation(memory, 9)
    const { crash, backend: first, ...options } = stage.instance()
    const app = await stage.clock.until(start([kitchen], ofOneProcess(first), options))
    await stage.clock.until(app.send(Cooking.Begin({ id: 'a', delayMs: 1_500 })))
    await stage.clock.advance(500)
    for (const id of ['b', 'c', 'd'])
      void app.send(Cooking.Begin({ id, delayMs: days(1) })).catch(() => undefined)
    await stage.clock.advance(5)
    crash()
    await stage.clock.advance(60_000)
    const { backend: second, clock, random } = stage.instance()
    const again = await stage.clock.until(start([kitchen], ofOneProcess(second), { clock, random }))
    await stage.clock.advance(10_000)
    const { items } = await stage.clock.until(again.timers({ until: stage.clock.now() }))
    assert.deepEqual(items, [])
    await stage.clock.until(again.stop())
  })

  test('although retention deleted records that the saga had not read', async () => {
    const Ticks = contract(
      'ticks',
      { key: 'id', partitions: 1, retention: { events: { ageMs: 200 } } },
      { Tick: event(Id) },
    )
    const timed = saga('timed', { by: 'id', initial: {}, sends: [Cooking.Ring] }, (on) => [
      on(Cooking.Begun, ({ id, delayMs }) => after(delayMs, Cooking.Ring({ id }))),
      on(Cooking.Rung, () => finish()),
      on(Ticks.Tick, () => []),
    ])
    const clock = testClock()
    const services = [
      service('kitchen', { owns: [Cooking], runs: [pot, timed] }),
      service('clock', { owns: [Ticks], runs: [] }),
    ]
    const engine = { retentionCheckMs: 100, retentionLagEventsMax: 1 }
    const options = { clock, engine, onExpired: () => undefined }
    const app = await clock.until(start(services, ofOneProcess(memory({ clock })), options))
    await clock.until(app.append([Ticks.Tick({ id: 't' })]))
    const operation = await clock.until(app.send(Cooking.Begin({ id: 'a', delayMs: 1_000 })))
    await clock.advance(300)
    await clock.until(app.pause('kitchen'))
    const ticks = Array.from({ length: 20 }, (_, n) => Ticks.Tick({ id: `t${n}` }))
    await clock.until(app.append(ticks))
    await clock.advance(1_500)
    await clock.until(app.append([Ticks.Tick({ id: 'u' })]))
    await clock.until(app.resume('kitchen'))
    await clock.advance(5_000)
    assert.deepEqual(await clock.until(operation.state()), { status: 'completed' })
    await clock.until(app.stop())
  })
})
