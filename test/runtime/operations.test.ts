// An operation is a promise that outlives the process: asked before and after the outcome, and
// after a new start.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { App } from 'throughline'
import { Fault, after, become, command, contract, entity, event, finish } from 'throughline'
import { refuse, saga, service, start } from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import { createSimulation } from '../engine/support/simulation.ts'
import type { Simulation } from '../engine/support/simulation.ts'

const Id = z.object({ id: z.string() })
const Trade = contract(
  'trade',
  { key: 'id' },
  {
    Buy: command(Id, { refuses: ['closed'] }),
    Bought: event(Id),
    Quiet: command(Id),
    Hushed: event(Id),
  },
)
const Stock = contract('stock', { key: 'id' }, { Take: command(Id), Taken: event(Id) })
const trade = entity(
  'trade',
  { of: Trade, id: 'id', initial: 0 },
  {
    decide: (on) => [
      on(Trade.Buy, (data) =>
        data.id === 'no' ? refuse('closed', ['come back']) : Trade.Bought(data),
      ),
      on(Trade.Quiet, (data) => (data.id === 'nothing' ? [] : Trade.Hushed(data))),
    ],
    evolve: (on) => [on(Trade.Bought, () => 1), on(Trade.Hushed, () => 2)],
  },
)
const dealing = saga('dealing', { by: 'id', initial: 0, sends: [Stock.Take] }, (on) => [
  on(Trade.Bought, (data) => [become(1), after(60_000, Stock.Take(data))]),
  on(Stock.Taken, ({ id }) =>
    id === 'back' ? finish({ status: 'rolled-back', reason: 'sold out' }) : finish(),
  ),
])
/** Hears the event of another service's step, so the conversation is longer than its first saga. */
const counting = saga('counting', { by: 'id', initial: 0, sends: [] }, (on) => [
  on(Trade.Bought, () => finish()),
])
const stock = entity(
  'stock',
  { of: Stock, id: 'id', initial: 0 },
  {
    decide: (on) => [on(Stock.Take, (data) => Stock.Taken(data))],
    evolve: (on) => [on(Stock.Taken, (_, count) => count + 1)],
  },
)
const services = () => [
  service('trade', { owns: [Trade], runs: [trade, dealing, counting] }),
  service('stock', { owns: [Stock], runs: [stock] }),
]

async function launch(stage: Simulation) {
  const { backend, clock, random, crash } = stage.instance()
  const engine = { leaseMs: 3_000 }
  const options = { clock, random, engine }
  return { app: await stage.clock.until(start(services(), backend, options)), crash }
}

const isOpen = async (stage: Simulation, promise: Promise<unknown>): Promise<boolean> => {
  let isSettled = false
  void promise.finally(() => (isSettled = true))
  await stage.clock.advance(5_000)
  return !isSettled
}

const CLOSED = { status: 'refused', code: 'closed', issues: [{ path: '', message: 'come back' }] }

/** Each command, and what it comes to. */
const OUTCOMES = [
  {
    command: Trade.Buy({ id: 'yes' }),
    accepted: { status: 'accepted' },
    settled: { status: 'completed' },
  },
  { command: Trade.Buy({ id: 'no' }), accepted: CLOSED, settled: CLOSED },
  {
    command: Trade.Buy({ id: 'back' }),
    accepted: { status: 'accepted' },
    settled: { status: 'rolled-back', reason: 'sold out' },
  },
  {
    command: Trade.Quiet({ id: 'nobody-hears' }),
    accepted: { status: 'accepted' },
    settled: { status: 'completed' },
  },
  {
    command: Trade.Quiet({ id: 'nothing' }),
    accepted: { status: 'accepted' },
    settled: { status: 'completed' },
  },
]

describe('an operation', () => {
  for (const { command, accepted, settled } of OUTCOMES) {
    const { id } = command.data as { id: string }
    const typeOf = command.name === 'Buy' ? Trade.Buy : Trade.Quiet

    test(`of ${id} ends as ${settled.status}, whenever and wherever it is asked`, async () => {
      const stage = createSimulation(memory, 1)
      const { app } = await launch(stage)
      const sent = await stage.clock.until(app.send(command, { id: `op-${id}` }))
      assert.equal(sent.id, `op-${id}`)
      const asked = [sent.accepted(), sent.accepted()]
      assert.deepEqual(await stage.clock.until(Promise.all(asked)), [accepted, accepted])
      const early = [sent.settled(), app.operation(typeOf, sent.id).settled()]
      if (settled.status === 'completed' || settled.status === 'rolled-back')
        assert.equal(await isOpen(stage, early[0] as Promise<unknown>), typeOf === Trade.Buy)
      assert.deepEqual(await stage.clock.until(Promise.all(early)), [settled, settled])
      assert.deepEqual(await stage.clock.until(sent.settled()), settled)
      await stage.clock.until(app.stop())

      const anew = await launch(stage)
      const found = anew.app.operation(typeOf, sent.id)
      assert.deepEqual(await stage.clock.until(found.accepted()), accepted)
      assert.deepEqual(await stage.clock.until(found.settled()), settled)
      await stage.clock.until(anew.app.stop())
    })
  }

  test('is answered after the next start if the app crashes meanwhile', async () => {
    const stage = createSimulation(memory, 2)
    const first = await launch(stage)
    await stage.clock.until(first.app.send(Trade.Buy({ id: 'yes' }), { id: 'op' }))
    first.crash()
    const second = await launch(stage)
    const waiting = second.app.operation(Trade.Buy, 'op').settled()
    await stage.clock.advance(10_000)
    second.crash()
    const third = await launch(stage)
    const operation = third.app.operation(Trade.Buy, 'op')
    assert.deepEqual(await stage.clock.until(operation.settled()), { status: 'completed' })
    void waiting
    await stage.clock.until(third.app.stop())
  })

  test('waits for the sagas that its events have started, and for no others', async () => {
    const stage = createSimulation(memory, 3)
    const { app } = await launch(stage)
    const slow = await stage.clock.until(app.send(Trade.Buy({ id: 'slow' })))
    const quiet = await stage.clock.until(app.send(Trade.Quiet({ id: 'slow' })))
    assert.deepEqual(await stage.clock.until(quiet.settled(), 3_000), { status: 'completed' })
    const waiting = slow.settled()
    assert.ok(
      await isOpen(
        stage,
        waiting.catch(() => undefined),
      ),
    )
    const told = assert.rejects(waiting, /APP_STOPPING/)
    await stage.clock.until(app.stop())
    await told
  })

  test('is awaited until its signal aborts', async () => {
    const stage = createSimulation(memory, 4)
    const { app } = await launch(stage)
    const operation = await stage.clock.until(app.send(Trade.Buy({ id: 'slow' })))
    const leaving = new AbortController()
    const waiting = operation.settled({ signal: leaving.signal })
    assert.ok(
      await isOpen(
        stage,
        waiting.catch(() => undefined),
      ),
    )
    leaving.abort(new Error('enough'))
    await assert.rejects(stage.clock.until(waiting, 10), /enough/)
    await stage.clock.until(app.stop())
  })

  test('of a remote service throws OPERATION_NOT_FOUND', async () => {
    const stage = createSimulation(memory, 5)
    const { backend, clock, random } = stage.instance()
    const [tradeService] = services()
    const app: App = await stage.clock.until(
      start([tradeService as never], backend, { clock, random, remote: [Stock] } as never),
    )
    const sent = await stage.clock.until(app.send(Stock.Take({ id: 'a' })))
    const { settled } = app.operation(Stock.Take, sent.id)
    for (const ask of [sent.accepted, settled] as (() => Promise<unknown>)[])
      await assert.rejects(stage.clock.until(ask()), (fault) => {
        assert.ok(fault instanceof Fault)
        assert.equal(fault.code, 'OPERATION_NOT_FOUND')
        assert.equal(fault.ids['id'], sent.id)
        return true
      })
    await stage.clock.until(app.stop())
  })

  test('that was never sent throws OPERATION_NOT_FOUND', async () => {
    const stage = createSimulation(memory, 6)
    const { app } = await launch(stage)
    const { accepted, settled } = app.operation(Trade.Buy, 'never')
    for (const ask of [accepted, settled] as (() => Promise<unknown>)[])
      await assert.rejects(stage.clock.until(ask(), 10_000), /OPERATION_NOT_FOUND/)
    await stage.clock.until(app.stop())
  })
})
