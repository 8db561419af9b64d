// Rules that exceed their time budget are reported, without further effects.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import type { App, Entity, StartOptions } from 'throughline'
import { Fault, command, contract, entity, event, handler, projection } from 'throughline'
import { saga, service, start, tool } from 'throughline'
import { memory } from 'throughline/testing'
import { anySchema, caughtUp, createSimulation, findImbalances } from '../support/simulation.ts'

/** A message on which one rule is slow. */
interface Task {
  readonly id: string
  readonly slow: string
  readonly tookMs: number
}
const Work = contract(
  'work',
  { key: 'id' },
  { Do: command(anySchema<Task>()), Done: event(anySchema<Task>()) },
)

/** A rule of every kind; `spend` lets the time pass that a rule takes. */
function workshop(spend: (ms: number) => void, wait: () => Promise<void> = async () => undefined) {
  const take = (rule: string, { slow, tookMs }: Task): void => {
    if (slow === rule) spend(tookMs)
  }
  const deciding = entity(
    'deciding',
    { of: Work, id: 'id', initial: 0 },
    {
      decide: (on) => [
        on(Work.Do, (task) => {
          take('deciding', task)
          return Work.Done(task)
        }),
      ],
      evolve: (on) => [
        on(Work.Done, (task, count) => {
          take('evolving', task)
          return count + 1
        }),
      ],
    },
  )
  const projecting = projection('projecting', { by: 'id', row: tool<Task>() }, (on) => [
    on(Work.Done, (task) => {
      take('projecting', task)
      return task
    }),
  ])
  const advancing = saga('advancing', { by: 'id', initial: 0, sends: [] }, (on) => [
    on(Work.Done, (task) => {
      take('advancing', task)
      return []
    }),
  ])
  const handling = handler('handling', {}, (on) => [
    on(Work.Done, async (task) => {
      take('handling', task)
      await wait()
    }),
  ])
  return service('shop', { owns: [Work], runs: [deciding, projecting, advancing, handling] })
}

type Slow = Parameters<NonNullable<StartOptions['onSlowRule']>>[0]

/** Runs tasks in simulated time; returns what was reported, and the health. */
async function run(tasks: readonly Task[], ruleBudgetMs = 100) {
  const stage = createSimulation(memory, 1)
  const { backend, clock, random } = stage.instance()
  let spentMs = 0
  const elapsed = (): number => clock.elapsed() + spentMs
  const told: Slow[] = []
  const faults: string[] = []
  const shop = workshop(
    (ms) => (spentMs += ms),
    // What it waits for is nobody's time.
    () => new Promise((resolve) => clock.after(5_000, resolve)),
  )
  const app: App = await stage.clock.until(
    start([shop], backend, {
      clock: { ...clock, elapsed },
      random,
      engine: { ruleBudgetMs },
      onSlowRule: (rule) => void told.push(rule),
      onRuleError: ({ error }) => void faults.push(error),
    }),
  )
  // What the start itself writes has a unit repeated, whose runs would count twice.
  await stage.clock.advance(1_000)
  for (const task of tasks)
    await stage.clock.until(app.send(Work.Do(task), { id: `do-${task.id}` }))
  await stage.clock.until(caughtUp(stage.clock, app))
  const { status: is, slowRules } = await stage.clock.until(app.health())
  const status = await stage.clock.until(app.status())
  await stage.clock.until(app.stop())
  assert.equal(is, 'well')
  assert.deepEqual(findImbalances(status), [])
  return { told, faults, slowRules }
}

describe('a rule that exceeds its time budget', () => {
  const cases = {
    deciding: ['shop/deciding', 'work.Do'],
    evolving: ['shop/deciding', 'work.Do'],
    projecting: ['shop/projecting', 'work.Done'],
    advancing: ['shop/advancing', 'work.Done'],
    handling: ['shop/handling', 'work.Done'],
  } as const
  for (const [slow, [consumer, wire]] of Object.entries(cases))
    test(`is reported and counted without failing: ${slow}`, async () => {
      const tasks = [
        { id: 'a', slow, tookMs: 100 },
        { id: 'b', slow, tookMs: 150 },
        { id: 'c', slow, tookMs: 250 },
        { id: 'd', slow, tookMs: 200 },
      ]
      const { told, faults, slowRules } = await run(tasks)
      assert.deepEqual(faults, [])
      assert.deepEqual(
        told.map(({ consumer: rule, type, count }) => [rule, type, count]),
        [[consumer, wire, 1]],
      )
      const [only, ...others] = slowRules
      assert.deepEqual(others, [])
      const { worst, count, budgetMs } = only as Slow
      assert.deepEqual([count, budgetMs, worst.tookMs, worst.key], [3, 100, 250, 'c'])
      if (wire === 'work.Do') assert.equal(worst.messageId, 'do-c')
    })

  test('counts the time of a rule that throws', async () => {
    const stage = createSimulation(memory, 2)
    const { backend, clock, random } = stage.instance()
    let spentMs = 0
    let attempts = 0
    const breaking = handler('breaking', {}, (on) => [
      on(Work.Done, () => {
        attempts += 1
        spentMs += 300
        if (attempts < 3) throw new Error('not yet')
      }),
    ])
    const { owns, runs } = workshop(() => undefined)
    const shop = service('shop', { owns, runs: [runs[0] as Entity, breaking] })
    const options = { random, clock: { ...clock, elapsed: () => clock.elapsed() + spentMs } }
    const silent = { onSlowRule: () => undefined, onRuleError: () => undefined }
    const app = await stage.clock.until(start([shop], backend, { ...options, ...silent }))
    await stage.clock.until(app.send(Work.Do({ id: 'a', slow: 'none', tookMs: 0 })))
    await stage.clock.until(caughtUp(stage.clock, app))
    const { slowRules } = await stage.clock.until(app.health())
    assert.deepEqual(
      slowRules.map(({ consumer, count }) => [consumer, count]),
      [['shop/breaking', 3]],
    )
    await stage.clock.until(app.stop())
  })

  test('takes the budget from the start options, within bounds', async () => {
    const tasks = [{ id: 'a', slow: 'deciding', tookMs: 40 }]
    assert.equal((await run(tasks, 39)).slowRules.length, 1)
    assert.equal((await run(tasks, 40)).slowRules.length, 0)
    for (const ruleBudgetMs of [0, 60_001])
      await assert.rejects(run(tasks, ruleBudgetMs), (fault) => {
        assert.ok(fault instanceof Fault && fault.code === 'OPTION_INVALID')
        return true
      })
  })

  test('becomes a process warning without a hook', async () => {
    const stage = createSimulation(memory, 3)
    const { backend, clock, random } = stage.instance()
    let spentMs = 0
    const shop = workshop((ms) => (spentMs += ms))
    const warned = once(process, 'warning')
    const elapsed = (): number => clock.elapsed() + spentMs
    const options = { random, clock: { ...clock, elapsed } }
    const app = await stage.clock.until(start([shop], backend, options))
    const task = { id: 'a', slow: 'deciding', tookMs: 340 }
    await stage.clock.until(app.send(Work.Do(task), { id: 'do-1' }))
    await stage.clock.until(caughtUp(stage.clock, app))
    const [warning] = (await warned) as [Error]
    assert.equal(warning.name, 'Throughline')
    assert.match(warning.message, /^shop\/deciding took 340 ms on work.Do do-1 of a, over/)
    await stage.clock.until(app.stop())
  })
})
