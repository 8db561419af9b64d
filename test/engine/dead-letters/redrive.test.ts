// A redrive puts dead letters back to work: each key goes on where it stopped, in its order.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { ConsumerKind } from '../support/failing-consumer.ts'
import { CONSUMER, OPERATOR, createFailingConsumer } from '../support/failing-consumer.ts'

const failure = { retry: { attempts: 2 } } as const
/** Longer than all attempts take. */
const ENOUGH_MS = 5_000
const KINDS: readonly ConsumerKind[] = ['handler', 'queue', 'projection']
const NAMES = ['a', 'b', 'c'].flatMap((key) => [1, 2, 3, 4].map((number) => `${key} ${number}`))

/** Three keys whose second message has failed, each for a cause of its own. */
async function failed(kind: ConsumerKind = 'handler') {
  const world = createFailingConsumer({ kind, failure })
  await world.launch()
  const causes = { a: 'the bank is closed', b: 'the road is wet', c: 'the bank is closed' }
  for (const [key, cause] of Object.entries(causes))
    world.fail(`${key} 2`, () =>
      Object.assign(new Error(cause), { code: `E_${cause.slice(4, 8)}` }),
    )
  await world.append(...NAMES)
  await world.advance(ENOUGH_MS)
  const of = (key: string): readonly string[] =>
    world.handled.filter((name) => name.startsWith(key)).map((name) => name.slice(2))
  return { ...world, of }
}

const ALL = ['1', '2', '3', '4']

suite('a redrive', () => {
  for (const kind of ['handler', 'projection'] as const)
    test(`of one key lets that key go on in its order (${kind})`, async () => {
      const world = await failed(kind)
      world.heal()
      assert.deepEqual(await world.redrive({ key: 'b' }), { done: 1, skipped: 0 })
      await world.advance(ENOUGH_MS)
      assert.deepEqual([world.of('a'), world.of('b'), world.of('c')], [['1'], ALL, ['1']])
      const { completed, dead, pending } = await world.counts()
      assert.deepEqual([completed, dead, pending], [6, 2, 4])
      await world.stop()
    })

  test('of one message by its id', async () => {
    const world = await failed()
    world.heal()
    assert.deepEqual(await world.redrive({ id: 'c 2' }), { done: 1, skipped: 0 })
    await world.advance(ENOUGH_MS)
    assert.deepEqual([world.of('a'), world.of('b'), world.of('c')], [['1'], ['1'], ALL])
    await world.stop()
  })

  test('by cause takes every message with that cause, and no other', async () => {
    const world = await failed()
    world.heal()
    const { cause } = (await world.letters({ key: 'a' }))[0] ?? {}
    assert.ok(cause)
    assert.deepEqual(await world.redrive({ cause }), { done: 2, skipped: 0 })
    await world.advance(ENOUGH_MS)
    assert.deepEqual([world.of('a'), world.of('b'), world.of('c')], [ALL, ['1'], ALL])
    await world.stop()
  })

  for (const kind of KINDS)
    test(`of all leaves nothing behind (${kind})`, async () => {
      const world = await failed(kind)
      world.heal()
      assert.deepEqual(await world.redrive(), { done: 3, skipped: 0 })
      await world.advance(ENOUGH_MS)
      assert.deepEqual(world.handled.toSorted(), NAMES)
      if (kind !== 'queue') for (const key of ['a', 'b', 'c']) assert.deepEqual(world.of(key), ALL)
      const { accepted, completed, dead, pending } = await world.counts()
      assert.deepEqual([accepted, completed, dead, pending], [12, 12, 0, 0])
      assert.deepEqual(await world.letters(), [])
      assert.deepEqual((await world.until(world.app().heldKeys())).items, [])
      const again = ['ERROR', 'RETRY', 'ERROR', 'FAILED', 'UNPROCESSED', 'COMPLETED']
      for (const key of ['a', 'b', 'c']) assert.deepEqual(world.statusPath(`${key} 2`), again)
      await world.stop()
    })

  test('counts attempts from the beginning', async () => {
    const world = await failed()
    await world.redrive({ key: 'a' })
    await world.advance(ENOUGH_MS)
    assert.equal(world.attempts.get('a 2'), 4)
    const [letter] = await world.letters({ key: 'a' })
    assert.equal(letter?.attempts, 2)
    await world.stop()
  })

  test('twice in a row does the second time nothing', async () => {
    const world = await failed()
    world.heal()
    assert.deepEqual(await world.redrive(), { done: 3, skipped: 0 })
    assert.deepEqual(await world.redrive(), { done: 0, skipped: 0 })
    await world.advance(ENOUGH_MS)
    assert.deepEqual(world.handled.toSorted(), NAMES)
    await world.counts()
    await world.stop()
  })

  test('by two operators at once puts each message back once', async () => {
    const world = await failed()
    world.heal()
    const { deadLetters } = world.app()
    const both = [deadLetters.redrive(OPERATOR), deadLetters.redrive(OPERATOR)]
    const [one, other] = await world.until(Promise.all(both))
    assert.equal((one?.done ?? 0) + (other?.done ?? 0), 3)
    await world.advance(ENOUGH_MS)
    assert.deepEqual(world.handled.toSorted(), NAMES)
    const { completed, dead, pending } = await world.counts()
    assert.deepEqual([completed, dead, pending], [12, 0, 0])
    await world.stop()
  })

  test('while messages of the same keys arrive keeps every order', async () => {
    const world = await failed()
    world.heal()
    const { deadLetters } = world.app()
    const redriven = deadLetters.redrive(OPERATOR)
    for (const number of [5, 6, 7, 8]) await world.append(`a ${number}`, `b ${number}`)
    assert.equal((await world.until(redriven)).done, 3)
    await world.append('a 9')
    await world.advance(ENOUGH_MS)
    assert.deepEqual(world.of('a'), ['1', '2', '3', '4', '5', '6', '7', '8', '9'])
    assert.deepEqual(world.of('b'), ['1', '2', '3', '4', '5', '6', '7', '8'])
    assert.deepEqual(world.of('c'), ALL)
    const { completed, dead, pending } = await world.counts()
    assert.deepEqual([completed, dead, pending], [21, 0, 0])
    await world.stop()
  })

  test('is handled by the next instance where this one crashes at once', async () => {
    const world = await failed()
    world.heal()
    await world.redrive()
    world.crash()
    await world.launch()
    await world.advance(20_000)
    for (const key of ['a', 'b', 'c'])
      assert.deepEqual([...new Set(world.of(key))], ALL, `${key}: a handler may run twice`)
    const { completed, dead, pending } = await world.counts()
    assert.deepEqual([completed, dead, pending], [12, 0, 0])
    await world.stop()
  })

  test('whose instance crashes in between is completed by a second call', async () => {
    for (const commits of [0, 1, 2]) {
      const world = createFailingConsumer({ failure, kind: 'projection' })
      let left = Infinity
      await world.launch({
        around: async (method, call) => {
          if (method === 'store.commit' && left <= 0) return new Promise(() => undefined)
          if (method === 'store.commit') left -= 1
          return call()
        },
      })
      for (const key of ['a', 'b', 'c']) world.fail(`${key} 1`)
      await world.append('a 1', 'b 1', 'c 1', 'a 2', 'b 2', 'c 2')
      await world.advance(ENOUGH_MS)
      left = commits
      const { deadLetters } = world.app()
      void deadLetters.redrive({ ...OPERATOR, perSecond: 1 }).catch(() => undefined)
      await world.advance(3_000)
      world.crash()
      world.heal()
      await world.launch()
      await world.redrive()
      await world.advance(20_000)
      const of = (key: string) => world.handled.filter((name) => name.startsWith(key))
      for (const key of ['a', 'b', 'c'])
        assert.deepEqual(of(key), [`${key} 1`, `${key} 2`], `${commits} commits`)
      const { completed, dead, pending } = await world.counts()
      assert.deepEqual([completed, dead, pending], [6, 0, 0])
      await world.stop()
    }
  })

  test('is noticed within one poll by a consumer that has nothing else to do', async () => {
    const world = createFailingConsumer({ failure, engine: { idleMs: 5_000 } })
    await world.launch()
    world.fail('a 1')
    await world.append('a 1')
    await world.advance(ENOUGH_MS)
    world.heal()
    await world.redrive()
    await world.advance(5_100)
    assert.deepEqual(world.handled, ['a 1'])
    await world.stop()
  })

  test('records who asked for it, and why', async () => {
    const world = await failed()
    await world.redrive({ key: 'a' })
    const change = world.statusChanges.find(({ from, status }) => {
      return from === 'FAILED' && status === 'UNPROCESSED'
    })
    assert.equal(change?.eventId, 'a 2')
    assert.equal(change.updatedBy, OPERATOR.by)
    assert.match(change.detail ?? '', /the bank is back/)
    await world.stop()
  })

  test('of a message that fails again makes it a dead letter again, with its key behind it', async () => {
    const world = await failed()
    await world.redrive({ key: 'a' })
    await world.advance(ENOUGH_MS)
    assert.deepEqual(world.of('a'), ['1'])
    const { completed, dead, pending } = await world.counts()
    assert.deepEqual([completed, dead, pending], [3, 3, 6])
    await world.stop()
  })

  test('of a consumer that is paused waits for its resume', async () => {
    const world = await failed()
    world.heal()
    await world.until(world.app().pause('svc'))
    await world.redrive({ consumer: CONSUMER })
    await world.advance(ENOUGH_MS)
    assert.deepEqual(world.of('a'), ['1'])
    await world.until(world.app().resume('svc'))
    await world.advance(ENOUGH_MS)
    assert.deepEqual(world.of('a'), ALL)
    await world.stop()
  })
})

suite('a redrive at a rate', () => {
  for (const [perSecond, letters] of [
    [1, 5],
    [10, 50],
  ] as const)
    test(`of ${perSecond} per second takes ${letters} letters ${letters / perSecond} seconds`, async () => {
      const world = createFailingConsumer({ kind: 'queue', failure: { retry: { attempts: 1 } } })
      await world.launch()
      const names = Array.from({ length: letters }, (_, at) => `k${at} 1`)
      for (const name of names) world.fail(name)
      await world.append(...names)
      await world.advance(ENOUGH_MS)
      assert.equal((await world.counts()).dead, letters)
      world.heal()
      const times: number[] = []
      const begun = world.clock.now()
      const { deadLetters } = world.app()
      const request = { ...OPERATOR, perSecond }
      const progress = await world.until(
        deadLetters.redrive(request, () => void times.push(world.clock.now() - begun)),
      )
      assert.deepEqual(progress, { done: letters, skipped: 0 })
      const expectedMs = 1_000 * (letters / perSecond - 1)
      const tookMs = world.clock.now() - begun
      assert.ok(tookMs >= expectedMs && tookMs <= expectedMs + 2_000, `${tookMs} ms`)
      assert.ok(times.length > 1, 'its progress is reported meanwhile')
      await world.advance(ENOUGH_MS)
      assert.equal((await world.counts()).completed, letters)
      await world.stop()
    })
})
