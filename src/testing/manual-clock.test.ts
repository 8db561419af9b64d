import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { sleep } from '../base/time/clock.ts'
import { createManualClock } from './manual-clock.ts'

describe('a manual clock', () => {
  test('moves only when advanced', async () => {
    const clock = createManualClock(1_000)
    assert.deepEqual([clock.now(), clock.elapsed()], [1_000, 0])
    await clock.advance(250)
    assert.deepEqual([clock.now(), clock.elapsed()], [1_250, 250])
  })

  test('steps its wall clock without elapsed time', async () => {
    const clock = createManualClock(1_000)
    let ran = 0
    clock.after(50, () => (ran += 1))
    const times = (): number[] => [clock.wall(), clock.now(), clock.elapsed(), ran]
    clock.stepWallClock(10_000)
    assert.deepEqual(times(), [11_000, 11_000, 0, 0])
    clock.stepWallClock(-10_500)
    assert.deepEqual(times(), [500, 11_000, 0, 0])
    await clock.advance(50)
    assert.deepEqual(times(), [550, 11_000, 50, 1])
  })

  test('begins at the same instant every time', () => {
    assert.equal(new Date(createManualClock().now()).toISOString(), '2020-01-01T00:00:00.000Z')
  })

  test('shows whole milliseconds, as every clock does', async () => {
    const clock = createManualClock(0)
    await clock.advance(1.75)
    assert.equal(clock.now(), 1)
    assert.equal(clock.elapsed(), 1.75)
  })

  test('runs calls at their due times, in order of time and then of call', async () => {
    const delays = fc.array(fc.integer({ min: -5, max: 40 }), { maxLength: 30 })
    await fc.assert(
      fc.asyncProperty(delays, async (delaysMs) => {
        const clock = createManualClock(0)
        const ran: { at: number; call: number }[] = []
        for (const [call, delayMs] of delaysMs.entries())
          clock.after(delayMs, () => ran.push({ at: clock.now(), call }))
        await clock.advance(20)
        const due = delaysMs.map((delayMs, call) => ({ at: Math.max(0, delayMs), call }))
        const expected = due.filter(({ at }) => at <= 20).toSorted((a, b) => a.at - b.at)
        assert.deepEqual(ran, expected)
        assert.equal(clock.now(), 20)
      }),
    )
  })

  test('runs calls that are scheduled while it advances', async () => {
    const clock = createManualClock(0)
    const ran: number[] = []
    const again = (): void => {
      ran.push(clock.now())
      clock.after(10, again)
    }
    clock.after(10, again)
    await clock.advance(35)
    assert.deepEqual(ran, [10, 20, 30])
  })

  test('runs promise callbacks between two due calls', async () => {
    const clock = createManualClock(0)
    const ran: string[] = []
    const walk = async (name: string): Promise<void> => {
      for (let count = 0; count < 3; count += 1) {
        await sleep(clock, 10)
        await Promise.resolve()
        ran.push(`${name}${clock.now()}`)
      }
    }
    void walk('a')
    void walk('b')
    await clock.advance(30)
    assert.deepEqual(ran, ['a10', 'b10', 'a20', 'b20', 'a30', 'b30'])
  })

  test('does not run cancelled calls, even at the same instant', async () => {
    const clock = createManualClock(0)
    const ran: string[] = []
    const cancel = clock.after(5, () => ran.push('cancelled'))
    clock.after(1, cancel)
    const late = clock.after(6, () => ran.push('late'))
    clock.after(7, late)
    await clock.advance(10)
    assert.deepEqual(ran, ['late'])
  })

  test('runs deferred calls after calls that are due now, at the same instant', async () => {
    const clock = createManualClock(0)
    const ran: string[] = []
    clock.after(0, () => ran.push('due'))
    clock.defer(() => ran.push(`soon ${clock.now()}`))
    await clock.advance(0)
    assert.deepEqual(ran, ['due', 'soon 0'])
  })
})

describe('a manual clock that advances until a promise settles', () => {
  test('stops at that instant', async () => {
    const clock = createManualClock(0)
    const value = sleep(clock, 40).then(() => 'value')
    clock.after(90, () => assert.fail('moved too far'))
    assert.equal(await clock.until(value), 'value')
    assert.equal(clock.now(), 40)
  })

  test('does not move for a settled promise', async () => {
    const clock = createManualClock(0)
    clock.after(1, () => assert.fail('moved'))
    assert.equal(await clock.until(Promise.resolve(7)), 7)
    assert.equal(clock.now(), 0)
  })

  test('passes on a rejection', async () => {
    const clock = createManualClock(0)
    const cause = new Error('broken')
    const failing = sleep(clock, 40).then(() => Promise.reject(cause))
    await assert.rejects(clock.until(failing), cause)
  })

  test('throws if the promise can never settle', async () => {
    const clock = createManualClock(0)
    clock.after(5, () => undefined)
    await assert.rejects(clock.until(new Promise(() => undefined)), /can never settle/)
    assert.equal(clock.now(), 5)
  })
})

describe('a manual clock never goes back', () => {
  test('when two calls advance it at once', async () => {
    const clock = createManualClock(0)
    const seen: number[] = []
    for (const delayMs of [5, 20, 60, 100]) clock.after(delayMs, () => seen.push(clock.now()))
    const short = clock.advance(10).then(() => seen.push(clock.now()))
    const long = clock.until(sleep(clock, 100)).then(() => seen.push(clock.now()))
    await Promise.all([short, long])
    seen.push(clock.now())
    assert.deepEqual(
      seen,
      seen.toSorted((a, b) => a - b),
    )
  })

  test('when it is asked to', async () => {
    const clock = createManualClock(1_000)
    await clock.advance(-500).catch(() => undefined)
    assert.equal(clock.now(), 1_000)
  })
})
