// Dead letters that several instances of a service have to know of, whichever of them had the message.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { App, FailureOptions } from 'throughline'
import { handler, service, start } from 'throughline'
import { memory } from 'throughline/testing'
import type { Data } from '../support/failing-consumer.ts'
import { OPERATOR, Work } from '../support/failing-consumer.ts'
import { accountsIn, numbersUpTo } from '../support/ledger-service.ts'
import { Bank, Shop, createPayingServices } from '../support/paying-services.ts'
import { createSimulation, findImbalances } from '../support/simulation.ts'

/** Long enough for heartbeats to settle the leases. */
const SHARED_MS = 6_000
const ENOUGH_MS = 10_000
/** One key in each partition. */
const [ONE = '', OTHER = ''] = numbersUpTo(2).flatMap((partition) => accountsIn(partition, 1, 2))

/** Two instances with a handler that fails at the first message of these keys. */
async function launchTwo(options: FailureOptions & { readonly consume?: 'stream' | 'queue' }) {
  const stage = createSimulation(memory, 6)
  const { until } = stage.clock
  const handled: string[] = []
  const broken = new Set<string>()
  const apps: App[] = []
  for (const _ of numbersUpTo(2)) {
    const rule = handler('rule', { retry: { attempts: 1 }, ...options }, (on) => [
      on(Work.Done, ({ k, n }) => {
        if (broken.has(k) && n === 0) throw new Error('broken')
        handled.push(`${k} ${n}`)
      }),
    ])
    const { backend, clock, random } = stage.instance()
    const engine = { leaseMs: 3_000, idleMs: 200, retryDelayMs: 50 }
    const startOptions = { clock, random, engine, onRuleError: () => undefined }
    const svc = service('svc', { owns: [Work], runs: [rule] })
    apps.push(await until(start([svc], backend, startOptions)))
  }
  await stage.clock.advance(SHARED_MS)
  const [app] = apps as [App]
  return {
    handled,
    broken,
    async append(...messages: readonly Data[]): Promise<void> {
      await until(app.append(messages.map((data) => Work.Done(data))))
      await stage.clock.advance(ENOUGH_MS)
    },
    async redrive(): Promise<number> {
      const { done } = await until(app.deadLetters.redrive(OPERATOR))
      await stage.clock.advance(ENOUGH_MS)
      return done
    },
    async stop(): Promise<void> {
      assert.deepEqual(findImbalances(await until(app.status())), [])
      await until(Promise.all(apps.map((each) => each.stop())))
    },
  }
}

suite('where two instances share the partitions', () => {
  for (const [charged, refunded] of [
    [ONE, OTHER],
    [OTHER, ONE],
  ] as const)
    test(`a compensation under another key gives up the dead command (${charged})`, async () => {
      const world = await createPayingServices({ onFailed: 'wait', refundTo: refunded })
      await world.launch()
      await world.launch()
      await world.advance(SHARED_MS)
      world.failing.add('charge 1')
      const operation = await world.place('1', charged)
      await world.advance(ENOUGH_MS)
      assert.deepEqual(await world.letters(), ['bank.Charge 1'])
      await world.send(Bank.Note({ order: '7', account: charged }))
      await world.send(Shop.Cancel({ order: '1', account: charged }))
      await world.advance(ENOUGH_MS)
      assert.deepEqual(await world.account(refunded), ['refund 1'])
      assert.equal((await world.until(operation.settled())).status, 'rolled-back')
      assert.deepEqual(await world.letters(), [])
      assert.deepEqual(await world.account(charged), ['note 7'])
      const { completed, dead, discarded, pending } = await world.counts()
      assert.deepEqual([completed, dead, discarded, pending], [2, 0, 1, 0])
      await world.stop()
    })

  for (const consume of ['stream', 'queue'] as const)
    test(`a failed message stops its consumer at both (${consume})`, async () => {
      const world = await launchTwo({ consume, onFailed: 'stop' })
      world.broken.add(ONE)
      await world.append({ k: ONE, n: 0 })
      await world.append(...[1, 2, 3].flatMap((n) => [ONE, OTHER].map((k) => ({ k, n }))))
      assert.equal(world.handled.length, 0)
      world.broken.clear()
      assert.equal(await world.redrive(), 1)
      assert.equal(world.handled.length, 7)
      await world.stop()
    })

  test('a redrive at one of them lets the other one go on', async () => {
    const world = await launchTwo({})
    for (const key of [ONE, OTHER]) world.broken.add(key)
    for (const n of [0, 1, 2]) await world.append({ k: ONE, n }, { k: OTHER, n })
    assert.equal(world.handled.length, 0)
    world.broken.clear()
    assert.equal(await world.redrive(), 2)
    for (const key of [ONE, OTHER])
      assert.deepEqual(
        world.handled.filter((name) => name.startsWith(`${key} `)),
        [0, 1, 2].map((n) => `${key} ${n}`),
      )
    await world.stop()
  })
})

test('a message for a saga that is rolling back passes a hold of its key', async () => {
  const world = await createPayingServices({ onFailed: 'wait' })
  await world.launch()
  for (const name of ['charge 1', 'hear of 9']) world.failing.add(name)
  await world.send(Bank.Note({ order: '9', account: 'acc' }))
  await world.advance(ENOUGH_MS)
  assert.deepEqual(await world.letters(), ['bank.Noted 9'], 'the saga holds the account')
  const operation = await world.place('1')
  await world.advance(ENOUGH_MS)
  // The order is another key, which nothing holds.
  await world.send(Shop.Cancel({ order: '1', account: 'acc' }))
  await world.advance(ENOUGH_MS)
  assert.deepEqual(await world.account(), ['note 9', 'refund 1'])
  assert.equal((await world.until(operation.settled())).status, 'rolled-back')
  assert.deepEqual(await world.letters(), ['bank.Noted 9'])
  const passed = await world.statusOf('shop/paying', 'bank.Refunded')
  assert.equal(passed?.status, 'COMPLETED', 'although it is behind a message that waits')
  await world.counts()
  await world.stop()
})
