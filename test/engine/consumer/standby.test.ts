// More members than shards: the surplus members stand by, report it, and take over.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { App } from 'throughline'
import { start } from 'throughline'
import { memory } from 'throughline/testing'
import {
  Ledger,
  PARTITIONS,
  accountsIn,
  createLedgerService,
  createOutside,
  numbersUpTo,
} from '../support/ledger-service.ts'
import type { Simulation } from '../support/simulation.ts'
import { caughtUp, createSimulation } from '../support/simulation.ts'

const LEASE_MS = 3_000
const engine = { leaseMs: LEASE_MS, idleMs: 200 }
const ACCOUNTS = numbersUpTo(PARTITIONS).flatMap((partition) => accountsIn(partition, 1))

async function launch(stage: Simulation, outside = createOutside()) {
  const { backend, clock, random, crash } = stage.instance()
  const options = { clock, random, engine, tools: { outside } }
  const app = await stage.clock.until(start([createLedgerService()], backend, options))
  return { app, crash }
}

interface Part {
  readonly leased: number
  readonly shards: number
  readonly isStandby: boolean
}

/** What each member reports of its share of a group. */
async function partsOf(stage: Simulation, apps: readonly App[], group: string): Promise<Part[]> {
  const parts: Part[] = []
  for (const app of apps) {
    const { groups } = await stage.clock.until(app.health())
    const found = groups.find((each) => each.group === group)
    assert.ok(found)
    parts.push(found)
  }
  return parts
}

const sum = (parts: readonly Part[]): number => parts.reduce((all, { leased }) => all + leased, 0)

async function enter(stage: Simulation, app: App, number: number): Promise<void> {
  await stage.clock.until(
    Promise.all(ACCOUNTS.map((account) => app.send(Ledger.Enter({ account, number })))),
  )
  await stage.clock.until(caughtUp(stage.clock, app))
}

describe('members of a group', () => {
  test('share its shards; surplus members stand by, and report it', async () => {
    const stage = createSimulation(memory, 1)
    const [first] = [await launch(stage)]
    await stage.clock.advance(2 * LEASE_MS)
    const alone = { group: 'ledger', leased: PARTITIONS, shards: PARTITIONS, isStandby: false }
    assert.deepEqual(await partsOf(stage, [first.app], 'ledger'), [alone])
    const rest: Awaited<ReturnType<typeof launch>>[] = []
    while (rest.length < PARTITIONS + 1) rest.push(await launch(stage))
    const apps = [first, ...rest].map(({ app }) => app)
    await stage.clock.advance(10 * LEASE_MS)
    for (const group of ['ledger', 'ledger/letters']) {
      const parts = await partsOf(stage, apps, group)
      assert.equal(sum(parts), PARTITIONS, 'each shard is with one member')
      assert.equal(parts.filter(({ leased }) => leased === 1).length, PARTITIONS)
      assert.equal(parts.filter(({ isStandby }) => isStandby).length, 2)
      assert.ok(parts.every(({ leased, isStandby }) => isStandby === (leased === 0)))
    }
    await enter(stage, first.app, 0)
    await stage.clock.until(Promise.all(apps.map((app) => app.stop())))
  })

  test('that stand by take over within a heartbeat after a stop, and a lease after a crash', async () => {
    for (const way of ['stop', 'crash'] as const) {
      const stage = createSimulation(memory, 2)
      const members: Awaited<ReturnType<typeof launch>>[] = []
      while (members.length < PARTITIONS + 1) members.push(await launch(stage))
      const all = (): App[] => members.map(({ app }) => app)
      await stage.clock.advance(10 * LEASE_MS)
      const before = await partsOf(stage, all(), 'ledger')
      assert.equal(before.filter(({ isStandby }) => isStandby).length, 1)
      const going = before.findIndex(({ isStandby }) => !isStandby)
      const [gone] = members.splice(going, 1)
      if (way === 'stop') await stage.clock.until(gone?.app.stop() ?? Promise.resolve())
      else gone?.crash()
      await stage.clock.advance((way === 'stop' ? 0 : LEASE_MS) + LEASE_MS / 3 + 300)
      const after = await partsOf(stage, all(), 'ledger')
      assert.equal(sum(after), PARTITIONS, way)
      assert.ok(after.every(({ isStandby }) => !isStandby))
      await enter(stage, members[0]?.app as App, 0)
      await stage.clock.until(Promise.all(all().map((app) => app.stop())))
    }
  })

  test('rebalance for a new member, and nothing is handled twice', async () => {
    const stage = createSimulation(memory, 3)
    const outside = createOutside()
    const first = await launch(stage, outside)
    await stage.clock.advance(2 * LEASE_MS)
    const second = await launch(stage, outside)
    for (const number of numbersUpTo(10)) {
      await enter(stage, first.app, number)
      await stage.clock.advance(LEASE_MS / 3)
    }
    const parts = await partsOf(stage, [first.app, second.app], 'ledger')
    assert.deepEqual(
      parts.map(({ leased }) => leased),
      [PARTITIONS / 2, PARTITIONS / 2],
    )
    for (const account of ACCOUNTS) assert.deepEqual(outside.told.get(account), numbersUpTo(10))
    assert.deepEqual(new Set(outside.keys.values()), new Set([1]), 'no call was made twice')
    await stage.clock.until(Promise.all([first.app.stop(), second.app.stop()]))
  })

  test('all follow a rewind, whichever of them receives it', async () => {
    const stage = createSimulation(memory, 4)
    const outside = createOutside()
    const first = await launch(stage, outside)
    const second = await launch(stage, outside)
    await stage.clock.advance(4 * LEASE_MS)
    await enter(stage, first.app, 0)
    await stage.clock.until(second.app.rewind('ledger/letters', 'earliest'))
    await stage.clock.advance(3 * engine.idleMs)
    await stage.clock.until(caughtUp(stage.clock, first.app))
    assert.deepEqual(
      [...outside.keys.values()],
      ACCOUNTS.map(() => 2),
    )
    await stage.clock.until(Promise.all([first.app.stop(), second.app.stop()]))
  })
})
