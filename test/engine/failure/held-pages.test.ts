// Many events wait behind a dead letter: further ones share rows, and nobody sees a difference.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { System } from '../../../src/control/system.ts'
import { verifyState } from '../../../src/control/verify-state.ts'
import { readCatalog } from '../../../src/engine/plan/index.ts'
import { EMPTY_UNIT } from '../../../src/ports/empty-unit.ts'
import type { FailingConsumer } from '../support/failing-consumer.ts'
import { CONSUMER, createFailingConsumer } from '../support/failing-consumer.ts'
import { Bank, Shop, createPayingServices } from '../support/paying-services.ts'

const COUNT = 1_200
const ENOUGH_MS = 60_000
const failure = { retry: { attempts: 2 } } as const
const names = (key: string, count = COUNT): readonly string[] =>
  Array.from({ length: count }, (_, at) => `${key} ${at}`)

async function rowCount({ until, store }: FailingConsumer, table: string): Promise<number> {
  return (await until(store.scan({ table, where: { index: 'hold' }, limit: 10_000 }))).length
}

/** A consumer with a dead letter and all later events of its key behind it. */
async function createHeld(kind: 'handler' | 'projection') {
  const world = createFailingConsumer({ kind, failure })
  await world.launch()
  world.fail('a 0')
  const all = names('a')
  for (let from = 0; from < COUNT; from += 150)
    await world.append(...all.slice(from, from + 150), `b ${from}`)
  await world.advance(ENOUGH_MS)
  return { world, all }
}

suite('a thousand events behind a dead letter', () => {
  for (const kind of ['handler', 'projection'] as const) {
    test(`share rows, and are handled in their order, through a crash (${kind})`, async () => {
      const { world, all } = await createHeld(kind)
      const [singles, pages] = [
        await rowCount(world, 'svc.held'),
        await rowCount(world, 'svc.held-pages'),
      ]
      assert.ok(singles < 600 && pages > 0 && pages < 30, `${singles} rows and ${pages} pages`)
      const [letter] = await world.letters()
      assert.equal(letter?.heldBehind, COUNT - 1)
      const { pending, dead, completed } = await world.counts()
      assert.deepEqual([pending, dead, completed], [COUNT - 1, 1, 8])
      world.heal()
      await world.redrive()
      while (world.handled.length < COUNT / 3) await world.advance(5)
      world.crash()
      await world.launch()
      await world.append('a 5000')
      await world.advance(ENOUGH_MS)
      const ofKey = world.handled.filter((name) => name.startsWith('a '))
      assert.deepEqual([...new Set(ofKey)], [...all, 'a 5000'])
      assert.equal((await world.counts()).completed, COUNT + 9)
      assert.equal(await rowCount(world, 'svc.held'), 0)
      assert.equal(await rowCount(world, 'svc.held-pages'), 0)
      await world.stop()
    })

    test(`are all there again when the row of their hold is lost (${kind})`, async () => {
      const { world, all } = await createHeld(kind)
      const before = await world.counts()
      await world.stop()
      const table = 'svc.holds'
      const [row] = await world.until(world.store.scan({ table, limit: 1 }))
      assert.ok(row)
      const lost = { table, key: row.key, expected: row.version, version: 0, body: null }
      await world.until(world.store.commit({ ...EMPTY_UNIT, rows: [lost] }))
      await world.launch({ failure: { redrive: { onDeploy: false } } })
      await world.advance(ENOUGH_MS)
      assert.deepEqual(await world.counts(), before)
      world.heal()
      await world.redrive()
      await world.advance(ENOUGH_MS)
      const ofKey = world.handled.filter((name) => name.startsWith('a '))
      assert.deepEqual(ofKey, all)
      await world.stop()
    })
  }

  test('are unprocessed in the ledger, and nothing else is', async () => {
    const { world, all } = await createHeld('handler')
    const unprocessed: string[] = []
    let after: { readonly position: number; readonly consumer: string } | undefined
    do {
      const query = { status: 'UNPROCESSED', limit: 500, ...(after ? { after } : {}) } as const
      const page = await world.until(world.store.ledger?.(query) ?? Promise.reject(new Error()))
      unprocessed.push(...page.rows.map(({ EVENT_ID }) => EVENT_ID))
      after = page.next
    } while (after)
    assert.deepEqual(unprocessed.toReversed(), all.slice(1))
    await world.stop()
  })

  test('are what verify expects', async () => {
    const { world } = await createHeld('handler')
    const find = async (): Promise<readonly unknown[]> => {
      const system = { backend: { store: world.store }, catalog: await readCatalog(world.store) }
      return Array.fromAsync(verifyState(system as System))
    }
    assert.deepEqual(await world.until(find()), [])
    await world.stop()
  })

  test('are folded once by a rebuild', async () => {
    const { world } = await createHeld('projection')
    world.heal()
    await world.until(world.app().rebuild(CONSUMER))
    await world.advance(ENOUGH_MS)
    const [row] = await world.until(world.store.get([{ table: 'svc.rule', key: 'a' }]))
    assert.deepEqual(
      JSON.parse(row?.body ?? ''),
      Array.from({ length: COUNT }, (_, at) => at),
    )
    assert.equal((await rowCount(world, 'svc.held')) + (await rowCount(world, 'svc.held-pages')), 0)
    await world.stop()
  })

  test('are found by whoever waits for one of them', async () => {
    const { world } = await createHeld('projection')
    const listed = await world.until(world.app().heldKeys({ consumer: CONSUMER }))
    assert.deepEqual(
      listed.items.map(({ event, count }) => [event.id, count]),
      [['a 0', COUNT]],
    )
    await world.stop()
  })
})

test('a compensation among a thousand commands takes the place of the one that it undoes', async () => {
  const world = await createPayingServices({ onFailed: 'wait' })
  await world.launch()
  for (const each of ['charge 1', 'charge 2']) world.failing.add(each)
  const note = (order: string) => world.send(Bank.Note({ order, account: 'acc' }))
  await world.place('1')
  await world.place('2')
  await world.advance(5_000)
  const orders = Array.from({ length: 900 }, (_, at) => `n${at}`)
  for (const order of orders.slice(0, 500)) await note(order)
  await world.advance(5_000)
  await world.send(Shop.Cancel({ order: '2', account: 'acc' }))
  await world.advance(5_000)
  for (const order of orders.slice(500)) await note(order)
  await world.advance(5_000)
  world.failing.delete('charge 1')
  await world.redrive()
  await world.advance(60_000)
  const notes = orders.map((order) => `note ${order}`)
  assert.deepEqual(await world.account(), ['charge 1', 'refund 2', ...notes])
  const { accepted, completed, discarded, dead, pending } = await world.counts()
  assert.deepEqual([accepted, completed, discarded, dead, pending], [903, 902, 1, 0, 0])
  await world.stop()
})
