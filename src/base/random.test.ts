import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { seededRandom, systemRandom } from './random.ts'

describe('random numbers', () => {
  test('of one seed are the same on every machine', () => {
    const numbers = (seed: number): number[] => {
      const random = seededRandom(seed)
      return [random(), random(), random()].map((number) => number * 2 ** 32)
    }
    assert.deepEqual(numbers(0), [1_144_304_738, 1_416_247, 958_946_056])
    assert.deepEqual(numbers(-1), [3_850_105_811, 813_802_916, 3_073_704_848])
  })

  test('are at least 0 and less than 1', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const random = seededRandom(seed)
        for (let count = 0; count < 100; count += 1) {
          const number = random()
          assert.ok(number >= 0 && number < 1, `${number}`)
        }
      }),
    )
    const number = systemRandom()
    assert.ok(number >= 0 && number < 1)
  })

  test('are evenly distributed and differ by seed', () => {
    const firsts = new Set<number>()
    for (let seed = 0; seed < 20; seed += 1) {
      const random = seededRandom(seed)
      firsts.add(seededRandom(seed)())
      const parts = Array.from({ length: 10 }, () => 0)
      for (let count = 0; count < 10_000; count += 1) {
        const part = Math.floor(random() * 10)
        parts[part] = (parts[part] ?? 0) + 1
      }
      for (const count of parts)
        assert.ok(count > 850 && count < 1_150, `${seed}: ${parts.join(' ')}`)
    }
    assert.equal(firsts.size, 20)
  })
})
