import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { createDueQueue } from '../../../src/engine/failure/due-queue.ts'

const key = fc.constantFrom<string>('a', 'b', 'c', 'd', 'e', 'f')
const due = fc.integer({ min: 0, max: 20 })
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ action: fc.constant('set' as const), key, due }) },
  { weight: 1, arbitrary: fc.record({ action: fc.constant('delete' as const), key, due }) },
)

suite('a queue of what is due', () => {
  test('is the same as a sorted list', () => {
    const limit = fc.integer({ min: 0, max: 6 })
    fc.assert(
      fc.property(fc.array(step), due, limit, fc.uniqueArray(key), (steps, now, max, wanted) => {
        const queue = createDueQueue()
        let list: { key: string; due: number }[] = []
        for (const { action, key, due } of steps) {
          list = list.filter((each) => each.key !== key)
          if (action === 'set') list.push({ key, due })
          queue[action](key, due)
        }
        const accepts = (each: string): boolean => wanted.includes(each)
        const sorted = list.filter((each) => accepts(each.key)).toSorted((a, b) => a.due - b.due)
        const expected = sorted.filter((each) => each.due <= now).map((each) => each.key)
        for (let times = 0; times < 2; times++) {
          assert.deepEqual(queue.due(now, max, accepts), expected.slice(0, max))
          assert.equal(queue.nextDue(accepts), sorted[0]?.due)
        }
        queue.clear()
        assert.deepEqual(
          [queue.due(100, 9, () => true), queue.nextDue(() => true)],
          [[], undefined],
        )
      }),
    )
  })

  test('keeps its order when many keys are set again', () => {
    const queue = createDueQueue()
    for (let round = 0; round < 20; round++)
      for (let n = 0; n < 200; n++) queue.set(`k${n}`, 1_000 * round + ((n * 7) % 200))
    const keys = queue.due(Infinity, 1_000, () => true)
    const expected = Array.from({ length: 200 }, (_, n) => n).toSorted((a, b) => {
      return ((a * 7) % 200) - ((b * 7) % 200)
    })
    assert.deepEqual(
      keys,
      expected.map((n) => `k${n}`),
    )
  })
})
