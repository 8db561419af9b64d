import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { describe, mock, test } from 'node:test'
import type { Cancel, Clock } from './clock.ts'
import { sleep, systemClock, withTimeout } from './clock.ts'

const LONGEST_TIMER_MS = 2 ** 31 - 1

/** A clock that only keeps what it is asked to run later, so that a test can run it. */
function stillClock(): Clock & { readonly waiting: Map<() => void, number> } {
  const waiting = new Map<() => void, number>()
  return {
    waiting,
    now: () => 0,
    wall: () => 0,
    elapsed: () => 0,
    after(delayMs, run): Cancel {
      waiting.set(run, delayMs)
      return () => void waiting.delete(run)
    },
    defer: (run) => void waiting.set(run, 0),
  }
}

function runAll({ waiting }: ReturnType<typeof stillClock>): void {
  for (const run of waiting.keys()) {
    waiting.delete(run)
    run()
  }
}

describe('the system clock', () => {
  test('does not go back when the clock of the machine is set back', (t) => {
    const times = [5_000, 4_000, 4_999, 5_001]
    t.mock.method(Date, 'now', () => times.shift() ?? 0)
    const { now } = systemClock()
    assert.deepEqual([now(), now(), now(), now()], [5_000, 5_000, 5_000, 5_001])
  })

  test('gives the unmodified wall clock, too', (t) => {
    const times = [5_000, 4_000]
    t.mock.method(Date, 'now', () => times.shift() ?? 0)
    const { wall } = systemClock()
    assert.deepEqual([wall(), wall()], [5_000, 4_000])
  })

  test('measures durations that never shrink', () => {
    const { elapsed } = systemClock()
    const first = elapsed()
    assert.ok(elapsed() >= first)
  })

  test('runs deferred work after calls that are already due', async () => {
    const order: string[] = []
    const done = Promise.withResolvers<void>()
    systemClock().defer(() => {
      order.push('soon')
      done.resolve()
    })
    void Promise.resolve().then(() => order.push('microtask'))
    order.push('now')
    await done.promise
    assert.deepEqual(order, ['now', 'microtask', 'soon'])
  })
})

describe('timers of the system clock', () => {
  const scheduled = (delayMs: number): { runs: () => number; cancel: Cancel } => {
    const run = mock.fn()
    const cancel = systemClock().after(delayMs, run)
    return { runs: () => run.mock.callCount(), cancel }
  }

  test('run once, at their time and not before', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const { runs } = scheduled(50)
    t.mock.timers.tick(49)
    assert.equal(runs(), 0)
    t.mock.timers.tick(1)
    assert.equal(runs(), 1)
    t.mock.timers.tick(1_000)
    assert.equal(runs(), 1)
  })

  test('with a negative delay run at once, but never inside the call', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const { runs } = scheduled(-5)
    assert.equal(runs(), 0)
    t.mock.timers.tick(1)
    assert.equal(runs(), 1)
  })

  test('that are cancelled never run, and cancelling twice is harmless', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const { runs, cancel } = scheduled(50)
    cancel()
    cancel()
    t.mock.timers.tick(100)
    assert.equal(runs(), 0)
  })

  for (const delayMs of [LONGEST_TIMER_MS, LONGEST_TIMER_MS + 1, 3 * LONGEST_TIMER_MS + 7])
    test(`of ${delayMs} ms, about what one timer holds or more, are not early`, (t) => {
      t.mock.timers.enable({ apis: ['setTimeout'] })
      const { runs } = scheduled(delayMs)
      let leftMs = delayMs - 1
      for (; leftMs > LONGEST_TIMER_MS; leftMs -= LONGEST_TIMER_MS)
        t.mock.timers.tick(LONGEST_TIMER_MS)
      t.mock.timers.tick(leftMs)
      assert.equal(runs(), 0)
      t.mock.timers.tick(1)
      assert.equal(runs(), 1)
    })

  test('that are chained can be cancelled in every part of the chain', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const first = scheduled(2 * LONGEST_TIMER_MS)
    const second = scheduled(2 * LONGEST_TIMER_MS)
    t.mock.timers.tick(10)
    first.cancel()
    t.mock.timers.tick(LONGEST_TIMER_MS)
    second.cancel()
    t.mock.timers.tick(LONGEST_TIMER_MS)
    assert.deepEqual([first.runs(), second.runs()], [0, 0])
  })
})

describe('sleep', () => {
  test('ends after its time and removes its abort listener', async () => {
    const clock = stillClock()
    const { signal } = new AbortController()
    const paused = sleep(clock, 70, signal)
    assert.deepEqual([...clock.waiting.values()], [70])
    runAll(clock)
    await paused
    assert.equal(getEventListeners(signal, 'abort').length, 0)
  })

  test('ends when the signal aborts, and cancels its timer', async () => {
    const clock = stillClock()
    const controller = new AbortController()
    const paused = sleep(clock, 70, controller.signal)
    controller.abort()
    await paused
    assert.equal(clock.waiting.size, 0)
    assert.equal(getEventListeners(controller.signal, 'abort').length, 0)
  })

  test('schedules nothing when the signal is already aborted', async () => {
    const clock = stillClock()
    await sleep(clock, 70, AbortSignal.abort())
    assert.equal(clock.waiting.size, 0)
  })
})

describe('withTimeout', () => {
  test('gives the value of a promise that settles in time, and cancels the timer', async () => {
    const clock = stillClock()
    assert.equal(await withTimeout(clock, 30, Promise.resolve('value')), 'value')
    assert.equal(clock.waiting.size, 0)
  })

  test('rejects with the cause of a promise that fails in time', async () => {
    const clock = stillClock()
    const cause = new Error('broken')
    await assert.rejects(withTimeout(clock, 30, Promise.reject(cause)), cause)
    assert.equal(clock.waiting.size, 0)
  })

  test('gives undefined at the deadline, and a later rejection is handled', async () => {
    const clock = stillClock()
    const late = Promise.withResolvers<string>()
    const answer = withTimeout(clock, 30, late.promise)
    assert.deepEqual([...clock.waiting.values()], [30])
    runAll(clock)
    assert.equal(await answer, undefined)
    late.reject(new Error('too late'))
    await assert.rejects(late.promise)
  })
})
