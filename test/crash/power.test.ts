import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { suite, test } from 'node:test'
import { fastTempDirectory } from './support/child-process.ts'
import type { CutOptions } from './support/power-cuts.ts'
import { runPowerCuts, whyNoPowerCuts } from './support/power-cuts.ts'
import { buildShim } from './support/shim.ts'

type CutTally = Awaited<ReturnType<typeof runPowerCuts>>

/** Some of what `npm run crash:power` does; a longer run is one command. */
async function cuts(
  t: TestContext,
  options: Omit<CutOptions, 'seed' | 'root' | 'shim'>,
): Promise<CutTally | undefined> {
  const root = await fastTempDirectory(t)
  const shim = buildShim(root)
  const why = shim ? whyNoPowerCuts(root) : 'needs Linux and a C compiler'
  if (shim && why === undefined) return runPowerCuts({ seed: 3, root, shim, ...options })
  t.skip(why)
  return undefined
}

suite('a power cut', () => {
  test('LOG-06 power cut at a random moment: all that was acked is there', async (t) => {
    const tally = await cuts(t, { runs: 3 })
    if (tally) assert.deepEqual([tally.violations, tally.runs], [[], 3])
  })

  test('LOG-07 power cut while the directory is made: what was acked is there', async (t) => {
    const tally = await cuts(t, { runs: 2, cutsPerDisk: 1, moments: ['start'] })
    if (tally) assert.deepEqual([tally.violations, tally.runs], [[], 2])
  })

  test('of a writer that syncs less than it should is found out', async (t) => {
    const tally = await cuts(t, { runs: 4, control: { sync: 'NORMAL' } })
    if (tally) assert.notDeepEqual(tally.violations, [])
  })
})
