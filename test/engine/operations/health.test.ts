// Health reports what is stuck, and settled reports what it waits for.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Alarm } from 'throughline'
import { createHeldKeyAlarms } from '../../../src/engine/operations/alarms.ts'
import type { FailingWorld } from '../support/failing-service.ts'
import { withFailingService } from '../support/failing-service.ts'

suite('health', () => {
  const alarmOf = async ({ app, until }: FailingWorld, kind: Alarm['kind']) => {
    const { status, alarms, detail } = await until(app.health())
    return { status, detail, alarm: alarms.find((each) => each.kind === kind) }
  }

  test('is degraded by keys that fail repeatedly, until they are handled', () =>
    withFailingService({ broken: ['bad-1', 'bad-2'] }, async (world) => {
      const { app, doing, pass, until, broken } = world
      await doing('bad-1', 'bad-2', 'good')
      assert.equal((await until(app.health())).status, 'well')
      await pass(1_000)
      const { status, detail, alarm } = await alarmOf(world, 'held-keys')
      assert.equal(status, 'degraded')
      assert.equal(alarm?.message, detail)
      assert.match(detail, /^worker\/outside holds 2 keys \(bad-\d, bad-\d\), for up to 1 s /)
      assert.partialDeepStrictEqual(alarm, {
        isDegrading: true,
        consumer: 'worker/outside',
        count: 2,
        threshold: { heldAlarmMs: 60_000, heldAlarmAttempts: 3 },
      })
      assert.deepEqual(alarm?.examples.toSorted(), ['bad-1', 'bad-2'])
      broken.keys.clear()
      await pass(10_000)
      assert.deepEqual(
        (await until(app.health())).alarms.map(({ kind }) => kind),
        [],
      )
      assert.equal((await until(app.health())).status, 'well')
    }))

  test('is degraded by keys that are held for too long, however rarely they are retried', () => {
    const engine = { retryDelayMs: 3_600_000, retryDelayMsMax: 3_600_000 }
    return withFailingService({ engine, broken: ['bad'] }, async (world) => {
      await world.doing('bad')
      await world.pass(50_000)
      assert.equal((await alarmOf(world, 'held-keys')).status, 'well')
      await world.pass(15_000)
      const { status, alarm } = await alarmOf(world, 'held-keys')
      assert.deepEqual([status, alarm?.count], ['degraded', 1])
    })
  })

  test('is degraded once sagas or operations exceed a configured age', () => {
    const engine = { sagaAlarmMs: 60_000, operationAlarmMs: 90_000 }
    return withFailingService({ engine }, async (world) => {
      await world.doing('timed')
      await world.pass(30_000)
      assert.equal((await world.until(world.app.health())).status, 'well')
      await world.pass(40_000)
      const { status, alarm } = await alarmOf(world, 'old-sagas')
      assert.equal(status, 'degraded')
      assert.deepEqual(alarm?.examples, ['worker/reminding timed'])
      assert.equal((await alarmOf(world, 'pending-operations')).alarm, undefined)
      await world.pass(40_000)
      const pending = await alarmOf(world, 'pending-operations')
      assert.deepEqual(pending.alarm?.examples, ['1-timed'])
    })
  })

  test('is degraded while records are unread for too long, unless their service is paused', () => {
    const engine = { lagAlarmMs: 1, sagaAlarmMs: 0 }
    return withFailingService({ engine }, async (world) => {
      const { app, until } = world
      await until(app.pause('worker'))
      await world.doing('a')
      await world.pass(1_000)
      assert.equal((await until(app.health())).status, 'paused')
      await until(app.resume('worker'))
      // Asked before anything is read.
      const { alarm } = await alarmOf(world, 'lag')
      assert.partialDeepStrictEqual(alarm, {
        consumer: 'worker/thing',
        count: 1,
        threshold: { lagAlarmMs: 1 },
      })
      assert.ok((alarm?.ageMs ?? 0) >= 900)
    })
  })

  test('has no age alarms unless configured', () =>
    withFailingService({}, async ({ app, doing, pass, until }) => {
      await doing('timed')
      await pass(200_000)
      assert.deepEqual((await until(app.health())).alarms, [])
    }))
})

suite('settled', () => {
  test('reports what it still waits for on request, and when its signal aborts', () =>
    withFailingService({ broken: ['bad'] }, async ({ app, doing, pass, until }) => {
      await doing('bad', 'timed')
      await pass(1_000)
      const [consumer, saga_, ...others] = await until(app.unsettled())
      assert.deepEqual(others, [])
      assert.deepEqual(saga_, { kind: 'saga', saga: 'worker/reminding', instance: 'timed' })
      assert.partialDeepStrictEqual(consumer, {
        kind: 'consumer',
        consumer: 'worker/outside',
        lag: 0,
        pending: 1,
        held: [{ key: 'bad', error: { message: 'the bank said no for bad' } }],
      })
      const ending = new AbortController()
      const waiting = app.settled({ signal: ending.signal })
      waiting.catch(() => undefined)
      await pass(100)
      ending.abort(new Error('no more patience'))
      await assert.rejects(until(waiting), (cause: Error) => {
        assert.match(cause.message, /NOT_SETTLED/)
        assert.match(cause.message, /worker\/outside has 0 unread and 1 held/)
        assert.match(cause.message, /bad behind work\.Done \S+: the bank said no for bad/)
        assert.match(cause.message, /worker\/reminding timed has not finished/)
        assert.match(String(cause.cause), /no more patience/)
        return true
      })
    }))

  test('reports nothing once everything is done', () =>
    withFailingService({}, async ({ app, doing, until }) => {
      await doing('plain', 'note-1')
      await until(app.settled())
      assert.deepEqual(await until(app.unsettled()), [])
    }))
})

suite('keys alarm', () => {
  const waiting = { consumer: 'shop/mail', key: 'k', status: 'RETRY', count: 1 } as const
  const hold = { ...waiting, attempts: 0, due: 100, since: 0 }
  const of = (changed: Partial<typeof hold>, now: number): number =>
    createHeldKeyAlarms([[{ ...hold, ...changed }]], { heldAlarmMs: 50, heldAlarmAttempts: 3 }, now)
      .length

  test('by age and by attempts, but not if they only wait for a delay', () => {
    assert.equal(of({ attempts: 1 }, 49), 0)
    assert.equal(of({ attempts: 1 }, 50), 1)
    assert.equal(of({ attempts: 3 }, 0), 1)
    assert.equal(of({ attempts: 0 }, 1_000_000), 0)
  })

  test('if their message no longer has a rule, and is not retried', () => {
    assert.equal(of({ due: Infinity }, 50), 1)
  })

  test('together, with the first few named', () => {
    const holds = Array.from({ length: 1_000 }, (_, at) => ({
      ...hold,
      key: `k${at}`,
      attempts: 5,
    }))
    const [alarm, ...others] = createHeldKeyAlarms(
      [holds],
      { heldAlarmMs: 0, heldAlarmAttempts: 3 },
      5_000,
    )
    assert.deepEqual(others, [])
    assert.match(alarm?.message ?? '', /^shop\/mail holds 1000 keys \(k0, k1, k2 and more\), /)
  })
})
