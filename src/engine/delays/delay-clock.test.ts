import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Clock } from '../../base/time/clock.ts'
import { monotonic } from '../../base/time/clock.ts'
import { days, hours } from '../../base/time/duration.ts'
import type { EventStore, Row, CommitResult } from '../../ports/event-store.ts'
import type { DelayClock } from './delay-clock.ts'
import { createDelayClock } from './delay-clock.ts'

const BEGIN_MS = Date.UTC(2026, 0, 1)

/** A machine on which processes start one after another; the row that they leave survives. */
function machine() {
  let [wallMs, passedMs] = [BEGIN_MS, 0]
  let row: Row | undefined
  let answers: CommitResult[] = []
  const reports: string[] = []
  const store: Pick<EventStore, 'get' | 'commit'> = {
    get: async () => [row],
    async commit({ rows }) {
      const answer = answers.shift() ?? { status: 'done', places: [] }
      const [written] = rows
      if (answer.status === 'done' && written?.body)
        row = { table: written.table, key: written.key, version: 1, body: written.body }
      return answer
    },
  }
  return {
    reports,
    row: () => row,
    answer: (next: CommitResult) => (answers = [next]),
    pass(ms: number) {
      wallMs += ms
      passedMs += ms
    },
    step: (ms: number) => void (wallMs += ms),
    async start(): Promise<DelayClock> {
      const startedMs = passedMs
      const wall = (): number => wallMs
      const elapsed = (): number => passedMs - startedMs
      const nothing = (): (() => void) => () => undefined
      const clock: Clock = { now: monotonic(wall), wall, elapsed, after: nothing, defer: nothing }
      const delays = createDelayClock(store, clock, ({ message }) => reports.push(message))
      await delays.load()
      return delays
    },
  }
}

describe('the delay clock', () => {
  test('counts elapsed time, however the wall clock steps', async () => {
    const { start, step, pass } = machine()
    const delays = await start()
    const dueMs = delays.dueIn(1_000.5)
    step(-hours(1))
    pass(1_000)
    assert.equal(delays.now(), BEGIN_MS + 1_000)
    assert.ok(delays.now() < dueMs)
    step(days(3_650))
    pass(1)
    assert.equal(delays.now(), dueMs)
  })

  test('continues after a restart as if the wall clock had not stepped', async () => {
    for (const stepMs of [-hours(1), hours(1), days(3_650)]) {
      const { start, step, pass } = machine()
      const first = await start()
      step(stepMs)
      await first.recordSteps()
      pass(5_000)
      const second = await start()
      assert.equal(second.now(), BEGIN_MS + 5_000)
      step(-stepMs)
      await second.recordSteps()
      pass(hours(2))
      assert.equal((await start()).now(), BEGIN_MS + 5_000 + hours(2))
    }
  })

  test('does not go back if the wall clock is corrected while nothing runs', async () => {
    const { start, step, pass } = machine()
    const first = await start()
    pass(1_000)
    step(days(3_650))
    await first.recordSteps()
    step(-days(3_650))
    assert.equal((await start()).now(), BEGIN_MS + 1_000)
  })

  test('stores nothing while the wall clock agrees with elapsed time', async () => {
    const { start, pass, step, row } = machine()
    const delays = await start()
    pass(days(30))
    step(900)
    await delays.recordSteps()
    assert.equal(row(), undefined)
    assert.equal(delays.hasStepped(), false)
  })

  test('stores its time about every minute and at close while delays are running', async () => {
    const { start, pass, row } = machine()
    const at = (): number => (JSON.parse(row()?.body ?? '{}') as { at: number }).at - BEGIN_MS
    const delays = await start()
    pass(59_000)
    await delays.recordSteps(true)
    assert.equal(row(), undefined)
    pass(1_000)
    await delays.recordSteps(false)
    assert.equal(at(), 60_000)
    pass(hours(1))
    await delays.recordSteps(false)
    await delays.close()
    assert.equal(at(), 60_000, 'nothing waits any more')
    await delays.recordSteps(true)
    await delays.recordSteps(true)
    pass(10)
    await delays.close()
    assert.equal(at(), 60_000 + hours(1) + 10)
  })

  test('continues from the stored time if the wall clock is behind, and trusts a correct one', async () => {
    const { start, pass, step } = machine()
    const first = await start()
    await first.recordSteps(true)
    pass(5_000)
    await first.close()
    step(-hours(1))
    const second = await start()
    assert.equal(second.now(), BEGIN_MS + 5_000)
    await second.recordSteps(true)
    pass(2_000)
    await second.close()
    pass(3_000)
    const third = await start()
    assert.equal(third.now(), BEGIN_MS + 10_000, 'the wall clock goes on while nothing runs')
    await third.recordSteps(true)
    await third.close()
    step(hours(1))
    pass(1_000)
    assert.equal((await start()).now(), BEGIN_MS + 11_000, 'nothing is early')
  })

  test('stores a step later if the store does not answer', async () => {
    const { start, step, row, answer } = machine()
    const delays = await start()
    step(hours(1))
    answer({ status: 'unknown', cause: 'the disk' })
    await assert.rejects(delays.recordSteps(), { code: 'STORE_UNKNOWN' })
    assert.equal(row(), undefined)
    await delays.recordSteps()
    assert.equal((await start()).now(), BEGIN_MS)
  })

  test('reports a long step once, as a sentence', async () => {
    const { start, step, reports } = machine()
    const delays = await start()
    step(30_000)
    await Promise.all([delays.recordSteps(), delays.recordSteps()])
    assert.deepEqual([...reports, ...delays.alarms()], [])
    step(-hours(1))
    await Promise.all([delays.recordSteps(), delays.recordSteps()])
    await delays.recordSteps()
    assert.equal(reports.length, 1)
    assert.match(reports[0] ?? '', /^the wall clock stepped 3600 s back, to 2025-12-31T23:00:30/)
    assert.deepEqual(delays.alarms(), reports)
  })

  test('makes nothing look older when the wall clock steps forward', async () => {
    const { start, step, pass } = machine()
    const delays = await start()
    step(hours(1))
    pass(10)
    assert.equal(delays.wallTimeNotAhead(), BEGIN_MS + 10)
    step(-hours(2))
    assert.equal(delays.wallTimeNotAhead(), BEGIN_MS + 10 - hours(1))
  })
})
