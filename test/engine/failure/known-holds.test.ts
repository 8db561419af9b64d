import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { HoldSummary } from '../../../src/engine/failure/index.ts'
import { createKnownHolds } from '../../../src/engine/failure/known-holds.ts'

const RETRY_MS = 100
const isFree = (): boolean => true

const holdOf = (key: string, other: Partial<HoldSummary>): HoldSummary => {
  return { consumer: 'svc/rule', key, status: 'RETRY', attempts: 1, due: 0, count: 1, ...other }
}

suite('holds that are due', () => {
  test('all have their turns, also if the holds are read again after every batch', () => {
    const stored = new Map<string, HoldSummary>()
    for (let n = 0; n < 50; n++) stored.set(`k${n}`, holdOf(`k${n}`, {}))
    const holds = createKnownHolds()
    const attempts = new Map<string, number>()
    for (let batch = 0; batch < 100; batch++) {
      holds.clear()
      for (const [key, hold] of stored) holds.set(key, hold)
      const now = 10 * batch
      for (const key of holds.dueForRetry(now, 5, isFree)) {
        attempts.set(key, (attempts.get(key) ?? 0) + 1)
        stored.set(key, holdOf(key, { due: now + RETRY_MS }))
      }
    }
    assert.deepEqual(new Set(attempts.values()), new Set([10]))
  })

  test('are found by what they wait for, and dead letters by their ids', () => {
    const holds = createKnownHolds()
    holds.set('a', holdOf('a', { due: 5 }))
    holds.set('b', holdOf('b', { due: 4, status: 'ERROR' }))
    const dead = { status: 'FAILED', due: Infinity, deadId: 'e-1' } as const
    holds.set('c', holdOf('c', dead))
    holds.set('d', holdOf('d', { ...dead, deadId: 'e-2', isAside: true }))
    assert.deepEqual(holds.dueForRetry(10, 9, isFree), ['a'])
    assert.deepEqual(holds.dueToMove(10, 9, isFree), ['b'])
    assert.equal(holds.nextDue(isFree), 4)
    assert.deepEqual([holds.deadHoldOf('e-1'), holds.deadCount(), holds.hasAside()], ['c', 2, true])
    holds.set('b', holdOf('b', { due: 7 }))
    holds.set('c', holdOf('c', { status: 'UNPROCESSED', due: 6 }))
    holds.delete('d')
    holds.postpone('a', 8)
    assert.deepEqual(holds.dueForRetry(10, 9, isFree), ['c', 'b', 'a'])
    assert.deepEqual(
      holds.dueForRetry(10, 9, (key) => key !== 'c'),
      ['b', 'a'],
    )
    assert.deepEqual(holds.dueToMove(10, 9, isFree), [])
    assert.deepEqual([holds.deadHoldOf('e-1'), holds.deadCount('svc/rule')], [undefined, 0])
    assert.equal(holds.hasAside(), false)
    holds.postpone('c', Infinity)
    assert.deepEqual(holds.dueForRetry(10, 9, isFree), ['b', 'a'])
  })
})
