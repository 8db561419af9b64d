// What is finished is removed after a time, by nobody's hand; what is open is never removed.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { EngineOptions, Fault } from 'throughline'
import { runVerb } from '../../../src/control/verbs.ts'
import type { ChainView } from '../../../src/control/views.ts'
import { systemOf } from '../../../src/runtime/running-system.ts'
import { Shop, createPayingServices } from '../support/paying-services.ts'
import { createFailingConsumer } from '../support/failing-consumer.ts'

const HOUR_MS = 3_600_000
const OFTEN = { retentionCheckMs: 60_000, idleMs: 60_000, leaseMs: 600_000 }
const failure = { retry: { attempts: 2 } } as const

/** A consumer with an event that a retry has completed, a discarded one, a dead letter, and many others. */
async function createHistory(engine: Partial<EngineOptions>) {
  const world = createFailingConsumer({ engine: { ...OFTEN, ...engine }, failure })
  await world.launch()
  for (const name of ['a 1', 'b 1', 'c 1']) world.fail(name)
  await world.append('a 1', 'b 1', 'c 1', 'd 1')
  await world.advance(40)
  world.heal('a 1')
  await world.advance(5_000)
  await world.discard({ key: 'b' })
  await world.advance(5_000)
  return world
}

suite('statuses', () => {
  test('of what is completed or discarded go after their time, those of dead letters never', async () => {
    const world = await createHistory({ statusKeptMs: HOUR_MS })
    assert.deepEqual([...(await world.statuses()).keys()].toSorted(), ['a 1', 'b 1', 'c 1'])
    await world.advance(HOUR_MS / 2)
    assert.equal((await world.statuses()).size, 3)
    await world.advance(HOUR_MS)
    assert.deepEqual([...(await world.statuses()).keys()], ['c 1'])
    const { completed, dead, discarded } = await world.counts()
    assert.deepEqual([completed, dead, discarded], [2, 1, 1])
    await world.stop()
  })

  test('stay for ever where that is asked for', async () => {
    const world = await createHistory({ statusKeptMs: 0 })
    await world.advance(10 * HOUR_MS)
    assert.equal((await world.statuses()).size, 3)
    await world.stop()
  })
})

test('of progress ranges only the newest are kept', async () => {
  const world = createFailingConsumer({ engine: { ...OFTEN, progressRangesMax: 3 } })
  await world.launch()
  for (let n = 0; n < 12; n += 1) {
    await world.append(`a ${n}`)
    await world.advance(2_000)
  }
  const rangeOf = async (offset: number) => {
    const event = { consumer: 'svc/rule', topic: 'work.events', partition: 0, offset }
    const other = { ...event, partition: 1 }
    return (await world.until(world.store.ranges([event, other]))).find((each) => each)
  }
  assert.equal((await rangeOf(0))?.offset, 0)
  await world.advance(200_000)
  assert.equal(await rangeOf(0), undefined)
  assert.equal((await rangeOf(11))?.offset, 11)
  await world.stop()
})

suite('what is open', () => {
  test('outlives the operations and sagas that are finished', async () => {
    const world = await createPayingServices({
      onFailed: 'wait',
      engine: { ...OFTEN, operationKeptMs: HOUR_MS, sagaKeptMs: HOUR_MS },
    })
    await world.launch()
    const done = await world.place('1')
    assert.equal((await world.until(done.settled())).status, 'completed')
    world.failing.add('charge 2')
    await world.place('2', 'other')
    await world.advance(5_000)
    assert.equal(await stateOf(world, 'place 1'), 'completed')
    await world.advance(2 * HOUR_MS)
    assert.equal(await stateOf(world, 'place 1'), 'OPERATION_NOT_FOUND')
    assert.equal(await stateOf(world, 'place 2'), 'pending')
    const chain = await world.until(runVerb(systemOf(world.app()), 'chain', { event: 'place 1' }))
    assert.equal((chain as ChainView).events.length, 4, 'its messages are still a conversation')
    const listed = await world.until(world.app().operations())
    assert.deepEqual(
      listed.items.map(({ id, state }) => [id, state.status]),
      [['place 2', 'pending']],
    )
    const { items } = await world.until(world.app().sagas({}))
    assert.deepEqual(
      items.map(({ saga, instance }) => [saga, instance]),
      [['shop/paying', '2']],
    )
    world.failing.clear()
    await world.redrive()
    await world.advance(2 * OFTEN.idleMs)
    assert.deepEqual(await world.account('other'), ['charge 2'])
    await world.stop()
  })
})

/** The state of the operation of the command that placed an order, or the code of a fault. */
async function stateOf(
  { app, until }: Awaited<ReturnType<typeof createPayingServices>>,
  id: string,
): Promise<string> {
  return until(app().operation(Shop.Place, id).state()).then(
    ({ status }) => status,
    (cause: unknown) => (cause as Fault).code,
  )
}
