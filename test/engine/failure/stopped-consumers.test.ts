// With `onFailed: 'stop'`, a failed message stops its consumer, and nothing else.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { handler, projection, service, start, tool } from 'throughline'
import { memory } from 'throughline/testing'
import type { ConsumerKind } from '../support/failing-consumer.ts'
import { CONSUMER, OPERATOR, Work, createFailingConsumer } from '../support/failing-consumer.ts'
import { createSimulation, findImbalances } from '../support/simulation.ts'

const failure = { onFailed: 'stop', retry: { attempts: 2 } } as const
const ENOUGH_MS = 10_000
const KINDS: readonly ConsumerKind[] = ['handler', 'queue', 'projection']

/** A consumer that `a 1` has stopped, while `b 1` was handled and `a 2` and `b 2` came later. */
async function stopped(kind: ConsumerKind) {
  const world = createFailingConsumer({ kind, failure })
  await world.launch()
  world.fail('a 1')
  await world.append('a 1', 'b 1')
  await world.advance(ENOUGH_MS)
  await world.append('a 2', 'b 2')
  await world.advance(ENOUGH_MS)
  return world
}

suite('a consumer that a failed message has stopped', () => {
  for (const kind of KINDS) {
    test(`reads nothing more (${kind})`, async () => {
      const world = await stopped(kind)
      assert.deepEqual(world.handled, ['b 1'])
      const { completed, dead, pending, lag } = await world.counts()
      assert.deepEqual([completed, dead, pending, lag], [1, 1, 0, 2])
      await world.stop()
    })

    for (const how of ['redrive', 'discard'] as const)
      for (const isRestarted of [false, true])
        test(`goes on after a ${how}${isRestarted ? ', also after a restart' : ''} (${kind})`, async () => {
          const world = await stopped(kind)
          if (isRestarted) {
            await world.stop()
            await world.launch()
            await world.advance(ENOUGH_MS)
            assert.deepEqual(world.handled, ['b 1'], 'it is still stopped')
          }
          world.heal()
          assert.deepEqual(await world[how](), { done: 1, skipped: 0 })
          await world.advance(ENOUGH_MS)
          const first = how === 'redrive' ? ['a 1'] : []
          assert.deepEqual(world.handled.toSorted(), [...first, 'a 2', 'b 1', 'b 2'].toSorted())
          const of = (key: string) => world.handled.filter((name) => name.startsWith(key))
          if (kind !== 'queue') assert.deepEqual(of('a'), [...first, 'a 2'])
          const { completed, dead, discarded, pending, lag } = await world.counts()
          const done = how === 'redrive' ? [4, 0, 0, 0, 0] : [3, 0, 1, 0, 0]
          assert.deepEqual([completed, dead, discarded, pending, lag], done)
          await world.stop()
        })
  }

  test('stops again where the message fails again', async () => {
    const world = await stopped('handler')
    await world.redrive()
    await world.advance(ENOUGH_MS)
    await world.append('c 1')
    await world.advance(ENOUGH_MS)
    assert.ok(!world.handled.includes('c 1'))
    const { dead, lag } = await world.counts()
    assert.deepEqual([dead, lag], [1, 1])
    await world.stop()
  })

  test('goes on only once its last dead letter is resolved', async () => {
    const world = createFailingConsumer({ failure: { onFailed: 'stop', retry: { attempts: 1 } } })
    await world.launch()
    world.fail('a 1')
    world.fail('b 1')
    await world.append('a 1', 'b 1')
    await world.advance(ENOUGH_MS)
    assert.equal((await world.counts()).dead, 2)
    await world.append('c 1')
    await world.discard({ key: 'a' })
    await world.advance(ENOUGH_MS)
    assert.deepEqual(world.handled, [])
    await world.discard({ key: 'b' })
    await world.advance(ENOUGH_MS)
    assert.deepEqual(world.handled, ['c 1'])
    await world.stop()
  })

  for (const kind of KINDS)
    test(`leaves no other message between two statuses, and rests (${kind})`, async () => {
      const world = createFailingConsumer({ kind, failure })
      let calls = 0
      await world.launch({
        around: (_, call) => {
          calls += 1
          return call()
        },
      })
      for (const name of ['a 1', 'b 1', 'c 1', 'd 1']) world.fail(name)
      await world.append('a 1', 'b 1', 'c 1', 'd 1')
      await world.advance(ENOUGH_MS)
      const before = calls
      await world.advance(60_000)
      assert.ok(calls - before < 2_000, `${calls - before} calls of the backend in a minute`)
      const statuses = [...(await world.statuses()).values()].map(({ status }) => status)
      assert.deepEqual(
        statuses.filter((status) => status !== 'FAILED' && status !== 'RETRY'),
        [],
      )
      await world.stop()
    })
})

test('the other consumers of a service go on while one is stopped', async () => {
  const stage = createSimulation(memory, 3)
  const { until } = stage.clock
  const seen: Record<string, string[]> = { rows: [], more: [], outside: [], sms: [] }
  let isBroken = true
  const record = (who: string, k: string): void => {
    if (isBroken && k === 'bad' && (who === 'rows' || who === 'outside')) throw new Error('no')
    seen[who]?.push(k)
  }
  const rowsOf = (name: string, onFailed: 'stop' | 'hold-key') =>
    projection(name, { by: 'k', row: tool<number>(), onFailed, retry: failure.retry }, (on) => [
      on(Work.Done, ({ k, n }) => (record(name, k), n)),
    ])
  const handlerOf = (name: string, onFailed: 'stop' | 'hold-key') =>
    handler(name, { onFailed, retry: failure.retry }, (on) => [
      on(Work.Done, ({ k }) => record(name, k)),
    ])
  const runs = [
    rowsOf('rows', 'stop'),
    rowsOf('more', 'hold-key'),
    handlerOf('outside', 'stop'),
    handlerOf('sms', 'hold-key'),
  ] as const
  const { backend, clock, random } = stage.instance()
  const engine = { retryDelayMs: 20, idleMs: 200 }
  const app = await until(
    start([service('svc', { owns: [Work], runs })], backend, {
      clock,
      random,
      engine,
      onRuleError: () => undefined,
    }),
  )
  await until(app.append([Work.Done({ k: 'bad', n: 1 })]))
  await stage.clock.advance(ENOUGH_MS)
  const later = ['a', 'b', 'c', 'd']
  await until(app.append(later.map((k) => Work.Done({ k, n: 1 }))))
  await stage.clock.advance(ENOUGH_MS)
  const everything = ['a', 'b', 'bad', 'c', 'd']
  assert.deepEqual([seen['rows'], seen['outside']?.length], [[], 0])
  assert.deepEqual(seen['more']?.toSorted(), everything)
  assert.deepEqual(seen['sms']?.toSorted(), everything)

  isBroken = false
  await until(app.deadLetters.redrive({ consumer: 'svc/rows', ...OPERATOR }))
  await stage.clock.advance(ENOUGH_MS)
  assert.deepEqual(seen['rows']?.toSorted(), everything)
  assert.equal(seen['outside']?.length, 0, 'the other one is still stopped')
  await until(app.deadLetters.redrive({ consumer: 'svc/outside', ...OPERATOR }))
  await stage.clock.advance(ENOUGH_MS)
  assert.deepEqual(seen['outside']?.toSorted(), everything)
  for (const names of Object.values(seen)) assert.equal(names.length, 5, 'nothing twice')
  assert.deepEqual(findImbalances(await until(app.status())), [])
  await until(app.stop())
})

test('a consumer that is stopped does not take a redrive of another one for its own', async () => {
  const world = await stopped('handler')
  assert.deepEqual(await world.redrive({ key: 'unknown' }), { done: 0, skipped: 0 })
  await assert.rejects(world.redrive({ consumer: 'svc/none' }), /RULE_NOT_FOUND/)
  await world.advance(ENOUGH_MS)
  assert.deepEqual(world.handled, ['b 1'])
  assert.equal((await world.letters({ consumer: CONSUMER })).length, 1)
  await world.stop()
})
