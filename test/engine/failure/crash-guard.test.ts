// What a group records of the messages in progress after a crash.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { contract, event, handler, projection, service, start, tool } from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import { caughtUp, createSimulation } from '../support/simulation.ts'

const Work = contract('work', { key: 'id' }, { Done: event(z.object({ id: z.string() })) })
const table = 'svc.control'

test('a handler left behind at a stop does not count as a crash', async () => {
  const stage = createSimulation(memory, 1)
  const stuck = handler('stuck', {}, (on) => [on(Work.Done, () => new Promise(() => undefined))])
  const svc = service('svc', { owns: [Work], runs: [stuck] })
  for (let starts = 0; starts < 5; starts += 1) {
    const { clock, random } = stage.instance()
    const options = { clock, random, onBackendError: () => undefined }
    const app = await stage.clock.until(start([svc], stage.backend, options))
    if (starts === 0) await stage.clock.until(app.append([Work.Done({ id: 'a' })]))
    await stage.clock.advance(2_000)
    const { items } = await stage.clock.until(app.heldKeys())
    assert.deepEqual(items, [])
    await stage.clock.until(app.stop({ graceMs: 100 }))
    const [row] = await stage.clock.until(
      stage.backend.store.get([{ table, key: 'unended:svc/stuck' }]),
    )
    assert.equal(row, undefined, 'its end was clean')
  }
})

test('the crash row does not grow with the number of kills', async () => {
  const stage = createSimulation(memory, 2)
  const rows = projection('rows', { by: 'id', row: tool<object>() }, (on) => [
    on(Work.Done, (done) => done),
  ])
  const svc = service('svc', { owns: [Work], runs: [rows] })
  const sizes: number[] = []
  for (let kill = 0; kill < 6; kill += 1) {
    const { crash, backend, ...options } = stage.instance()
    const app = await stage.clock.until(start([svc], backend, options))
    const messages = Array.from({ length: 300 }, (_, n) => Work.Done({ id: `${kill}-${n}` }))
    await stage.clock.until(app.append(messages))
    await stage.clock.until(caughtUp(stage.clock, app))
    crash()
    await stage.clock.advance(60_000)
    const [row] = await stage.clock.until(stage.backend.store.get([{ table, key: 'unended:svc' }]))
    sizes.push(row?.body.length ?? 0)
  }
  assert.ok(Math.max(...sizes.slice(3)) <= 1.5 * Math.max(...sizes.slice(0, 3)), sizes.join())
})

test('a message in progress beside the one that crashes the process is not blamed', async () => {
  const stage = createSimulation(memory, 3)
  let crash = (): void => undefined
  const poisoned = handler('poisoned', { consume: 'queue' }, (on) => [
    on(Work.Done, async ({ id }) => {
      // Long enough for others to have begun something.
      await new Promise<void>((resolve) => stage.clock.after(50, resolve))
      if (id === 'k5') crash()
    }),
  ])
  const bank = handler('bank', {}, (on) => [
    on(Work.Done, () => new Promise<void>((resolve) => void stage.clock.after(200, resolve))),
  ])
  const services = [
    service('svc', { owns: [Work], runs: [poisoned] }),
    service('paying', { runs: [bank] }),
  ]
  const messages = Array.from({ length: 20 }, (_, n) => Work.Done({ id: `k${n}` }))
  for (let starts = 0; starts < 12; starts += 1) {
    const { crash: end, backend, ...options } = stage.instance()
    let isOver = false
    crash = () => {
      isOver = true
      end()
    }
    const app = await stage.clock.until(
      start(services, backend, { ...options, onRuleError: () => undefined }),
    )
    if (starts === 0) void app.append(messages)
    await stage.clock.advance(60_000)
    if (isOver) continue
    const { items } = await stage.clock.until(app.heldKeys())
    assert.deepEqual(
      items.map(({ consumer, key, error }) => [consumer, key, error?.code]),
      [['svc/poisoned', 'k5', 'PROCESS_ENDED']],
    )
    const { status: is, alarms } = await stage.clock.until(app.health())
    assert.deepEqual([is, alarms[0]?.kind], ['degraded', 'dead-letters'])
    const status = await stage.clock.until(app.status())
    assert.deepEqual(
      status.map(({ completed, lag }) => [completed, lag]),
      [
        [19, 0],
        [20, 0],
      ],
    )
    return
  }
  assert.fail('it ends again and again')
})
