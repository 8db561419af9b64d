// The metrics of the last hour that the server keeps, on a manual clock.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createManualClock } from '../../src/testing/manual-clock.ts'
import { HISTORY_MS, recordHistory, SAMPLE_MS } from '../../src/admin/history.ts'
import type { Counters } from '../../src/control/overview.ts'

function counters(appended: number, lag = 0): Counters {
  return { appended, services: [{ name: 'payment', completed: appended / 2, lag }] }
}

test('the history keeps the samples of the last hour, and no more', async () => {
  const clock = createManualClock()
  const ended = new AbortController()
  let appended = 0
  const look = async (): Promise<Counters> => counters((appended += 50), 7)
  const history = recordHistory(clock, look, ended.signal)
  await clock.advance(2 * HISTORY_MS)
  const samples = history.since(0)
  assert.equal(samples.length, HISTORY_MS / SAMPLE_MS)
  assert.equal(samples.at(-1)?.at, clock.now())
  const figures = { perSecond: 5, lag: 7 }
  assert.deepEqual(samples[0], {
    at: clock.now() - HISTORY_MS + SAMPLE_MS,
    perSecond: 10,
    lag: 7,
    services: { payment: figures },
  })
  assert.deepEqual(history.since(clock.now() - SAMPLE_MS), samples.slice(-1))
  ended.abort()
  await clock.advance(HISTORY_MS)
  assert.deepEqual(history.since(0), samples)
})

test('a failed reading leaves a gap, and the rate after it is still right', async () => {
  const clock = createManualClock()
  const ended = new AbortController()
  let looks = 0
  const look = async (): Promise<Counters> => {
    looks += 1
    if (looks === 2) throw new Error('the store is away')
    return counters(looks * 100)
  }
  const history = recordHistory(clock, look, ended.signal)
  await clock.advance(2 * SAMPLE_MS)
  ended.abort()
  assert.deepEqual(
    history.since(0).map(({ perSecond }) => perSecond),
    [20],
  )
})

test('counters that restart give no negative rate', async () => {
  const clock = createManualClock()
  const ended = new AbortController()
  const counts = [900, 3]
  const history = recordHistory(clock, async () => counters(counts.shift() ?? 3), ended.signal)
  await clock.advance(SAMPLE_MS)
  ended.abort()
  assert.equal(history.since(0)[0]?.perSecond, 0)
})
