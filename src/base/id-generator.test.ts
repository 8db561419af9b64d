import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Clock } from './time/clock.ts'
import { createIdGenerator } from './id-generator.ts'
import { seededRandom } from './random.ts'

const UUID_7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const BEGIN_MS = Date.UTC(2024, 4, 6)
const LATEST_MS = 2 ** 48 - 2 ** 20

/** A clock that shows one time after another, and then the last one for good. */
function clockOf(times: readonly number[]): Clock {
  let at = 0
  return {
    now: () => times[Math.min(at++, times.length - 1)] as number,
    wall: () => 0,
    elapsed: () => 0,
    after: () => () => undefined,
    defer: () => undefined,
  }
}

function timeOf(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
}

function mustGrow(ids: readonly string[]): void {
  for (const [at, id] of ids.entries()) {
    assert.match(id, UUID_7)
    if (at > 0) assert.ok((ids[at - 1] as string) < id, `${ids[at - 1]} < ${id}`)
  }
}

describe('ids', () => {
  test('are UUIDs of version 7 that hold the millisecond', () => {
    const time = fc.integer({ min: 1, max: LATEST_MS })
    fc.assert(
      fc.property(time, fc.integer(), (now, seed) => {
        const id = createIdGenerator(clockOf([now]), seededRandom(seed))()
        assert.match(id, UUID_7)
        assert.equal(timeOf(id), now)
      }),
    )
  })

  test('grow strictly, however the clock moves', () => {
    const times = fc.array(fc.integer({ min: 1, max: LATEST_MS }), { minLength: 2 })
    fc.assert(
      fc.property(times, fc.integer(), (clock, seed) => {
        const mint = createIdGenerator(clockOf(clock), seededRandom(seed))
        mustGrow(clock.map(() => mint()))
      }),
    )
  })

  test('grow strictly and stay unique, 100,000 of them while the clock stands still', () => {
    const mint = createIdGenerator(clockOf([BEGIN_MS]), seededRandom(1))
    const ids = Array.from({ length: 100_000 }, () => mint())
    mustGrow(ids)
    assert.equal(new Set(ids).size, ids.length)
    // 4,096 ids to a millisecond at most: the time field has to run ahead, but no further.
    const aheadMs = timeOf(ids.at(-1) as string) - BEGIN_MS
    assert.ok(aheadMs >= 23 && aheadMs <= 25, `${aheadMs} ms ahead`)
  })

  test('grow strictly while the clock is set back, and follow it once it has caught up', () => {
    const clock = [BEGIN_MS, BEGIN_MS - 3_600_000, BEGIN_MS - 1, BEGIN_MS, BEGIN_MS + 5]
    const mint = createIdGenerator(clockOf(clock), seededRandom(2))
    const ids = clock.map(() => mint())
    mustGrow(ids)
    const times = [BEGIN_MS, BEGIN_MS, BEGIN_MS, BEGIN_MS, BEGIN_MS + 5]
    assert.deepEqual(ids.map(timeOf), times)
  })

  test('are valid for the smallest and the largest random numbers', () => {
    for (const chance of [0, 1 - 2 ** -53]) {
      const mint = createIdGenerator(clockOf([BEGIN_MS]), () => chance)
      mustGrow(Array.from({ length: 5_000 }, () => mint()))
    }
  })

  test('of two generators differ by their random part', () => {
    const clock = clockOf([BEGIN_MS])
    const one = createIdGenerator(clock, seededRandom(3))
    const other = createIdGenerator(clock, seededRandom(4))
    const ids = Array.from({ length: 1_000 }, () => [one(), other()]).flat()
    assert.equal(new Set(ids).size, ids.length)
  })

  test('are the same again for the same clock and seed', () => {
    const mint = (): (() => string) => createIdGenerator(clockOf([BEGIN_MS]), seededRandom(5))
    const [one, other] = [mint(), mint()]
    for (let count = 0; count < 100; count += 1) assert.equal(one(), other())
  })
})
