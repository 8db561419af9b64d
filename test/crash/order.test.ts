import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { runs } from '../extent.ts'
import { runOrder } from './order/order-run.ts'
import { runSimulated } from './order/simulated-run.ts'
import { fastTempDirectory } from './support/child-process.ts'

const isPosix = process.platform !== 'win32'

suite('the order of every key, while rules fail and dead letters are redriven', () => {
  // A longer run is one command: npm run crash:order.
  test('survives kills of a real process', { skip: !isPosix }, async (t) => {
    const root = await fastTempDirectory(t)
    const tally = await runOrder({ seed: 7, keys: 30, events: 1_200, kills: 2, root })
    assert.deepEqual(tally.violations, [])
    const { died, deadLetters, redriven, discarded } = tally
    assert.ok(
      died === 2 && deadLetters > 20 && redriven > 20 && discarded > 2,
      JSON.stringify(tally),
    )
  })

  for (let seed = 1; seed <= runs(3); seed += 1)
    test(`survives crashes and lost answers in simulated time, seed ${seed}`, async () => {
      const faults = { crashes: 2, faultRate: 0.02 }
      const { violations } = await runSimulated({ seed, keys: 6, events: 240, ...faults })
      assert.deepEqual(violations, [])
    })
})
