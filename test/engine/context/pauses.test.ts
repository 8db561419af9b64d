// What an operator does and sees: pauses, health, operations by id, and the stored catalog.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { App } from 'throughline'
import { start } from 'throughline'
import { memory } from 'throughline/testing'
import { sleep } from '../../../src/base/time/clock.ts'
import { createCatalog, readCatalog } from '../../../src/engine/plan/catalog.ts'
import { createPlan } from '../../../src/engine/plan/plan.ts'
import type { PortCall } from '../../../src/ports/intercept.ts'
import { Asking, talking } from '../../control/talking-services.ts'
import { Ledger, createLedgerService, createOutside } from '../support/ledger-service.ts'
import type { Simulation } from '../support/simulation.ts'
import { caughtUp, createSimulation } from '../support/simulation.ts'

const engine = { deadlineMs: 200, retryDelayMs: 20, leaseMs: 3_000, idleMs: 500 }
const { name } = createLedgerService()

async function launch(
  stage: Simulation,
  fails: (call: PortCall) => boolean = () => false,
): Promise<App> {
  const { backend, clock, random } = stage.instance((call, run) => {
    if (fails(call)) throw new Error('it broke')
    return run()
  })
  const tools = { outside: createOutside() }
  const options = { clock, random, engine, tools, onBackendError: () => undefined }
  return stage.clock.until(start([createLedgerService()], backend, options))
}

const handled = async (stage: Simulation, app: App): Promise<number> => {
  const status = await stage.clock.until(app.status())
  return status.reduce((sum, { completed }) => sum + completed, 0)
}

describe('a paused service', () => {
  test('processes nothing, answers queries, and continues when resumed', async () => {
    const stage = createSimulation(memory, 1)
    const app = await launch(stage)
    await stage.clock.until(app.pause(name))
    const operation = await stage.clock.until(app.send(Ledger.Enter({ account: 'a', number: 1 })))
    await stage.clock.advance(20_000)
    assert.equal(await handled(stage, app), 0)
    assert.deepEqual(await stage.clock.until(operation.state()), {
      status: 'pending',
      isAccepted: false,
    })
    const { book } = await stage.clock.until(app.ask(Ledger.Read({ account: 'a' })))
    assert.deepEqual(book, [])
    const { status, paused } = await stage.clock.until(app.health())
    assert.deepEqual({ status, paused }, { status: 'paused', paused: [name] })
    await stage.clock.until(app.resume(name))
    await stage.clock.until(operation.accepted())
    await stage.clock.until(caughtUp(stage.clock, app))
    assert.equal((await stage.clock.until(app.health())).status, 'well')
    await stage.clock.until(app.stop())
  })

  test('stays paused over a restart, and other processes see it in time', async () => {
    const stage = createSimulation(memory, 2)
    const first = await launch(stage)
    await stage.clock.until(first.pause(name))
    await stage.clock.until(first.pause(name))
    await stage.clock.until(first.stop())
    const second = await launch(stage)
    const third = await launch(stage)
    await stage.clock.until(second.send(Ledger.Enter({ account: 'a', number: 1 })))
    await stage.clock.advance(5_000)
    assert.equal(await handled(stage, second), 0)
    await stage.clock.until(third.resume(name))
    await stage.clock.until(caughtUp(stage.clock, second))
    assert.ok((await handled(stage, second)) > 0)
    await stage.clock.until(Promise.all([second.stop(), third.stop()]))
  })

  for (const [what, delayMs] of [
    ['is slow to be read', 300],
    ['cannot be read at first', undefined],
  ] as const)
    test(`processes nothing at a start when its pause ${what}`, async () => {
      const stage = createSimulation(memory, 7)
      const { backend: before, clock: time } = stage.instance()
      const first = await stage.clock.until(start(talking, before, { clock: time }))
      await stage.clock.until(first.pause('teller'))
      await stage.clock.until(first.send(Asking.Ask({ id: 'a' })))
      await stage.clock.advance(1_000)
      await stage.clock.until(first.stop())
      let isFirst = true
      const { backend, clock, random } = stage.instance(async (call, run, [keys]) => {
        const [key] = call === 'store.get' ? (keys as readonly { table: string }[]) : []
        if (isFirst && key?.table.endsWith('.control')) {
          isFirst = false
          if (delayMs === undefined) throw new Error('it broke')
          await sleep(stage.clock, delayMs)
        }
        return run()
      })
      const options = { clock, random, engine: { ...engine, deadlineMs: 1_000 } }
      const started = start(talking, backend, { ...options, onBackendError: () => undefined })
      const app = await stage.clock.until(started)
      await stage.clock.advance(5_000)
      assert.equal(isFirst, false)
      const status = await stage.clock.until(app.status())
      const teller = status.find(({ consumer }) => consumer === 'teller/answer')
      assert.deepEqual([teller?.completed, teller?.lag], [0, 1])
      await stage.clock.until(app.stop())
    })

  test('must run in this process', async () => {
    const stage = createSimulation(memory, 3)
    const app = await launch(stage)
    await assert.rejects(stage.clock.until(app.pause('nobody')), {
      code: 'SERVICE_NOT_FOUND',
      ids: { service: 'nobody' },
    })
    await stage.clock.until(app.stop())
  })
})

test('health reports what fails, and its recovery', async () => {
  const stage = createSimulation(memory, 4)
  let isBroken = false
  const app = await launch(stage, (call) => isBroken && call === 'log.read')
  assert.equal((await stage.clock.until(app.health())).status, 'well')
  isBroken = true
  await stage.clock.advance(2_000)
  const { status, detail, ack } = await stage.clock.until(app.health())
  assert.deepEqual({ status, ack }, { status: 'failing', ack: 'memory' })
  assert.match(detail, /it broke/)
  isBroken = false
  await stage.clock.advance(2_000)
  assert.equal((await stage.clock.until(app.health())).status, 'well')
  await stage.clock.until(app.stop())
})

test('an operation is found by its id alone, also after a restart', async () => {
  const stage = createSimulation(memory, 5)
  const first = await launch(stage)
  const sent = first.send(Ledger.Enter({ account: 'a', number: 1 }), { id: 'one' })
  await stage.clock.until((await stage.clock.until(sent)).accepted())
  await stage.clock.until(first.stop())
  const app = await launch(stage)
  const found = await stage.clock.until(app.find('one'))
  assert.equal(found?.command, Ledger.Enter)
  assert.deepEqual(await stage.clock.until(found.accepted()), { status: 'accepted' })
  for (const id of ['two', '', '\0', 'x'.repeat(300)])
    assert.equal(await stage.clock.until(app.find(id)), undefined)
  await stage.clock.until(app.stop())
})

test('the catalog is stored although the first write failed', async () => {
  const stage = createSimulation(memory, 6)
  let failures = 2
  const app = await launch(stage, (call) => call === 'store.commit' && failures-- > 0)
  await stage.clock.advance(1_000)
  const stored = await stage.clock.until(readCatalog(stage.backend.store))
  assert.deepEqual(stored, createCatalog(createPlan([createLedgerService()], [])))
  assert.ok(stored.services[0]?.rules.every(({ reads }) => reads.length > 0))
  await stage.clock.until(app.stop())
})
