// A projection is rebuilt while many events of a key wait behind a dead letter.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { CONSUMER, createFailingConsumer } from '../support/failing-consumer.ts'

const COUNT = 1_200
const ENOUGH_MS = 60_000
const failure = { retry: { attempts: 2 }, redrive: { onDeploy: false } } as const
const numbers = (from: number): readonly number[] =>
  Array.from({ length: COUNT }, (_, at) => from + at)

async function createRebuilt() {
  const world = createFailingConsumer({ kind: 'projection', failure })
  await world.launch()
  async function appendAll(from: number): Promise<void> {
    const names = numbers(from).map((n) => `a ${n}`)
    for (let at = 0; at < COUNT; at += 150) await world.append(...names.slice(at, at + 150))
    await world.advance(ENOUGH_MS)
  }
  world.fail('a 0')
  await appendAll(0)
  world.heal()
  await world.until(world.app().rebuild(CONSUMER))
  await world.advance(ENOUGH_MS)
  return { world, appendAll }
}

async function numbersOf({ until, store }: ReturnType<typeof createFailingConsumer>) {
  const [row] = await until(store.get([{ table: 'svc.rule', key: 'a' }]))
  const text = /\[[\d,]*\]/.exec(row?.body ?? '')?.[0] ?? '[]'
  return JSON.parse(text) as readonly number[]
}

suite('a rebuild of a projection that holds pages', () => {
  test('leaves no page', async () => {
    const { world } = await createRebuilt()
    assert.deepEqual(await numbersOf(world), numbers(0))
    const { completed, pending, dead } = await world.counts()
    assert.deepEqual([completed, pending, dead], [COUNT, 0, 0])
    const left = await world.until(world.store.scan({ table: 'svc.held-pages', limit: 100 }))
    await world.stop()
    assert.deepEqual(
      left.map(({ key }) => key),
      [],
    )
  })

  test('has no event folded twice, and none lost, when its key is held again', async () => {
    const { world, appendAll } = await createRebuilt()
    world.fail(`a ${COUNT}`)
    await appendAll(COUNT)
    world.heal()
    await world.redrive()
    await world.advance(ENOUGH_MS)
    const found = await numbersOf(world)
    const expected = [...numbers(0), ...numbers(COUNT)]
    const lost = expected.filter((n) => !found.includes(n))
    const twice = found.filter((n, at) => found.indexOf(n) !== at)
    await world.stop()
    assert.deepEqual([twice.length, lost.length], [0, 0])
  })
})
