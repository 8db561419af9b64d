// Dead letters that several instances of a service have to know of, whichever of them had the message.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { App } from 'throughline'
import { handler, service, start } from 'throughline'
import { memory } from 'throughline/testing'
import { OPERATOR, Work } from '../support/failing-consumer.ts'
import { accountsIn, numbersUpTo } from '../support/ledger-service.ts'
import { Bank, Shop, createPayingServices } from '../support/paying-services.ts'
import { createSimulation, findImbalances } from '../support/simulation.ts'

/** Long enough for heartbeats to settle the leases. */
const SHARED_MS = 6_000
const ENOUGH_MS = 10_000
/** One key in each partition. */
const [ONE = '', OTHER = ''] = numbersUpTo(2).flatMap((partition) => accountsIn(partition, 1, 2))

suite('where two instances share the partitions', () => {
  for (const [charged, refunded] of [
    [ONE, OTHER],
    [OTHER, ONE],
  ] as const)
    test(`a compensation under another key gives up the dead command (${charged})`, async () => {
      const world = await createPayingServices({ then: 'wait', refundTo: refunded })
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
      const stage = createSimulation(memory, 6)
      const { until } = stage.clock
      const handled: string[] = []
      let isBroken = true
      const apps: App[] = []
      for (const _ of numbersUpTo(2)) {
        const rule = handler(
          'rule',
          { consume, onFailed: 'stop', retry: { attempts: 1 } },
          (on) => [
            on(Work.Done, ({ k, n }) => {
              if (isBroken && k === ONE && n === 0) throw new Error('broken')
              handled.push(`${k} ${n}`)
            }),
          ],
        )
        const { backend, clock, random } = stage.instance()
        const engine = { leaseMs: 3_000, idleMs: 200, retryDelayMs: 50 }
        const options = { clock, random, engine, onRuleError: () => undefined }
        const svc = service('svc', { owns: [Work], runs: [rule] })
        apps.push(await until(start([svc], backend, options)))
      }
      const [app] = apps as [App]
      await stage.clock.advance(SHARED_MS)
      await until(app.append([Work.Done({ k: ONE, n: 0 })]))
      await stage.clock.advance(ENOUGH_MS)
      const later = [1, 2, 3].flatMap((n) => [Work.Done({ k: ONE, n }), Work.Done({ k: OTHER, n })])
      await until(app.append(later))
      await stage.clock.advance(ENOUGH_MS)
      assert.deepEqual(handled, [])
      isBroken = false
      await until(app.deadLetters.redrive(OPERATOR))
      await stage.clock.advance(ENOUGH_MS)
      assert.equal(handled.length, 7)
      assert.deepEqual(findImbalances(await until(app.status())), [])
      await until(Promise.all(apps.map((each) => each.stop())))
    })

  test('a redrive at one of them lets the other one go on', async () => {
    const stage = createSimulation(memory, 7)
    const { until } = stage.clock
    const handled: string[] = []
    const broken = new Set([ONE, OTHER])
    const apps: App[] = []
    for (const _ of numbersUpTo(2)) {
      const rule = handler('rule', { retry: { attempts: 1 } }, (on) => [
        on(Work.Done, ({ k, n }) => {
          if (broken.has(k) && n === 0) throw new Error('broken')
          handled.push(`${k} ${n}`)
        }),
      ])
      const { backend, clock, random } = stage.instance()
      const engine = { leaseMs: 3_000, idleMs: 200, retryDelayMs: 50 }
      const options = { clock, random, engine, onRuleError: () => undefined }
      const svc = service('svc', { owns: [Work], runs: [rule] })
      apps.push(await until(start([svc], backend, options)))
    }
    const [app] = apps as [App]
    await stage.clock.advance(SHARED_MS)
    for (const n of [0, 1, 2])
      await until(app.append([Work.Done({ k: ONE, n }), Work.Done({ k: OTHER, n })]))
    await stage.clock.advance(ENOUGH_MS)
    assert.deepEqual(handled, [])
    broken.clear()
    assert.equal((await until(app.deadLetters.redrive(OPERATOR))).done, 2)
    await stage.clock.advance(ENOUGH_MS)
    for (const key of [ONE, OTHER])
      assert.deepEqual(
        handled.filter((name) => name.startsWith(`${key} `)),
        [0, 1, 2].map((n) => `${key} ${n}`),
      )
    await until(Promise.all(apps.map((each) => each.stop())))
  })
})

test('a message for a saga that is rolling back passes a hold of its key', async () => {
  const world = await createPayingServices({ then: 'wait' })
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
  await world.counts()
  await world.stop()
})
