import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createOffsetHistory } from './offset-history.ts'

const STEP_MS = 10
const AGE_MS = 100

test('an offset counts as old only after the age, and at most a step later', () => {
  const growth = fc.array(
    fc.record({ passMs: fc.integer({ min: 0, max: 40 }), records: fc.integer({ min: 0, max: 3 }) }),
    { maxLength: 60 },
  )
  fc.assert(
    fc.property(growth, (all) => {
      let [nowMs, next] = [0, 0]
      const history: { readonly atMs: number; readonly next: number }[] = []
      const seen = createOffsetHistory(
        { elapsed: () => nowMs },
        { stepMs: STEP_MS, ageMsMax: AGE_MS },
      )
      const endAt = (ms: number): number => history.findLast(({ atMs }) => atMs <= ms)?.next ?? 0
      for (const { passMs, records } of all) {
        // Whoever reads looks at least as often as ends are told apart.
        for (let left = passMs; left > 0; left -= STEP_MS) {
          nowMs += Math.min(left, STEP_MS)
          seen.record('p', next)
        }
        next += records
        history.push({ atMs: nowMs, next })
        seen.record('p', next)
        const old = seen.offsetOlderThan('p', AGE_MS)
        assert.ok(old <= endAt(nowMs - AGE_MS), `${old} at ${nowMs}`)
        assert.ok(old >= endAt(nowMs - AGE_MS - 2 * STEP_MS), `${old} at ${nowMs}`)
      }
    }),
  )
})

test('an unseen partition has no history', () => {
  const seen = createOffsetHistory({ elapsed: () => 1_000 }, { stepMs: STEP_MS, ageMsMax: AGE_MS })
  assert.deepEqual([seen.offsetOlderThan('p', 0), seen.firstSeen('p')], [0, Infinity])
  seen.record('p', 5)
  seen.record('p', 9)
  assert.deepEqual([seen.offsetOlderThan('p', 0), seen.firstSeen('p')], [5, 5])
})
