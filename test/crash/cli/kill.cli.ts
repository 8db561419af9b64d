// Repeatedly kills a process that runs services on the embedded backend, and verifies its data.
//
//   npm run crash:kill -- [--cycles N] [--seed N] [--lanes N]
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { runKillCycles } from '../support/kill-cycles.ts'
import { fastestTempRoot } from '../support/child-process.ts'
import { runProgram } from './run-program.ts'
import { buildShim } from '../support/shim.ts'

await runProgram(
  { cycles: 1_000, seed: 1, lanes: 2 },
  async ({ cycles, seed, lanes }, onProgress) => {
    const root = realpathSync(mkdtempSync(join(fastestTempRoot(), 'throughline-kill-')))
    const shim = buildShim(root)
    if (!shim) onProgress('no C compiler, or no LD_PRELOAD: kills come from outside alone')
    const tally = await runKillCycles({
      cycles,
      seed,
      lanes,
      root,
      onProgress,
      ...(shim ? { shim } : {}),
    })
    const isWell = tally.violations.length === 0
    if (isWell) rmSync(root, { recursive: true })
    return { isWell, ...tally }
  },
)
