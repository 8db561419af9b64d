import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sleep } from '../../src/base/time/clock.ts'
import type { ClosedLoop } from '../../src/bench/closed-loop.ts'
import { closedLoop, untilFinished } from '../../src/bench/closed-loop.ts'
import { createManualClock } from '../../src/testing/manual-clock.ts'

const LOOP: ClosedLoop = {
  seconds: 10,
  warmUpSeconds: 2,
  batch: 10,
  publishers: 2,
  backlogMax: 1_000,
}

test('the rate counts events that are finished after the warm-up', async () => {
  const clock = createManualClock()
  let finished = 0
  const publish = async (_: number, count: number): Promise<void> => {
    // Ten times as fast during the warm-up.
    await sleep(clock, clock.elapsed() < 2_000 ? 1 : 10)
    finished += count
  }
  const flow = { publish, finished: () => finished }
  const { perSecond = 0, published } = await clock.until(closedLoop(clock, flow, LOOP))
  assert.ok(Math.abs(perSecond - 2_000) < 20, `${perSecond}`)
  assert.equal(published, finished)
})

test('publishers wait while the backlog is full', async () => {
  const clock = createManualClock()
  let published = 0
  let finished = 0
  let backlog = 0
  const consume = async (): Promise<void> => {
    while (clock.elapsed() < 15_000) {
      await sleep(clock, 100)
      backlog = Math.max(backlog, published - finished)
      finished = Math.min(published, finished + 100)
    }
  }
  const publish = async (_: number, count: number): Promise<void> => {
    await sleep(clock, 1)
    published += count
  }
  void consume()
  const flow = { publish, finished: () => finished }
  const { perSecond = 0 } = await clock.until(closedLoop(clock, flow, LOOP))
  assert.ok(Math.abs(perSecond - 1_000) < 20, `${perSecond}`)
  assert.ok(backlog > 900 && backlog <= LOOP.backlogMax + 2 * LOOP.batch, `${backlog}`)
})

test('an error while publishing ends the loop', async () => {
  const clock = createManualClock()
  const publish = (): Promise<void> => Promise.reject(new Error('the disk is full'))
  const loop = closedLoop(clock, { publish, finished: () => 0 }, LOOP)
  await assert.rejects(clock.until(loop), /the disk is full/)
})

test('unfinished events are reported with their count', async () => {
  const clock = createManualClock()
  const waiting = untilFinished(clock, { finished: () => 8 }, 10, 50)
  await assert.rejects(clock.until(waiting), /only 8 of 10/)
})
