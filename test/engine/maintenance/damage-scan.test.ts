import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createEngineMonitor } from '../../../src/engine/context/engine-monitor.ts'
import { runDamageScan } from '../../../src/engine/maintenance/damage-scan.ts'
import type { InspectedRange } from '../../../src/ports/event-log.ts'
import { createManualClock } from '../../../src/testing/manual-clock.ts'

const RECORDS = 10_000
const PER_SECOND = 1_000

/** A scan of one partition whose log can fail, and be damaged in the middle. */
function scanned() {
  const clock = createManualClock()
  const reported: string[] = []
  const hook = (): undefined => undefined
  const monitor = createEngineMonitor({
    onRuleError: hook,
    onSlowRule: hook,
    onSlowUnits: hook,
    onChangedSource: hook,
    onExpired: hook,
    onBackendError: (name) => void reported.push(name),
  })
  const state = { isCut: false, isDamaged: true }
  const log = {
    ends: async () => [{ topic: 't', partition: 0, first: 0, next: RECORDS }],
    async inspect(_: string, __: number, from: number, count: number): Promise<InspectedRange> {
      if (state.isCut) {
        state.isCut = false
        throw new Error('the disk did not answer')
      }
      const at = RECORDS / 2
      const isHere = state.isDamaged && from <= at && at < from + count
      const damaged = isHere ? [{ code: 'CONTENT_CHANGED' as const, from: at, to: at + 1 }] : []
      return { next: Math.min(RECORDS, from + count), damaged }
    },
  }
  const stopping = new AbortController()
  const options = { damageScanRecordsPerSecondMax: PER_SECOND }
  const plan = { topics: new Map([['t', {}]]) }
  const engine = { backend: { log }, clock, monitor, options, plan }
  const running = runDamageScan(engine as never, stopping.signal)
  const names = (): readonly string[] => [...monitor.failures().keys()]
  const stop = async (): Promise<void> => {
    stopping.abort()
    await clock.until(running)
  }
  return { clock, state, names, reported, stop }
}

const FOUND = 'throughline/scan t/0'

test('a passing failure of the scan does not hide the damage that it has found', async () => {
  const { clock, state, names, reported, stop } = scanned()
  await clock.advance(12_000)
  assert.deepEqual(names(), [FOUND])
  state.isCut = true
  for (let second = 0; second < 30; second += 1) {
    await clock.advance(1_000)
    assert.ok(names().includes(FOUND), `after ${second} seconds`)
  }
  assert.deepEqual(names(), [FOUND], 'the scan itself has recovered')
  assert.deepEqual(reported.filter((name) => name === FOUND).length, 1, 'it is reported once')
  await stop()
})

test('a partition has recovered once a whole scan finds no damage in it', async () => {
  const { clock, state, names, stop } = scanned()
  await clock.advance(12_000)
  state.isDamaged = false
  await clock.advance(30_000)
  assert.deepEqual(names(), [])
  await stop()
})
