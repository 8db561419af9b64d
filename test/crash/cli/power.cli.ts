// Simulates power cuts of a process that runs services on the embedded backend. Then weakens its
// syncs as a control, which must be detected. Needs root, loop devices and a C compiler.
//
//   npm run crash:power -- [--runs N] [--seed N]
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { runPowerCuts, whyNoPowerCuts } from '../support/power-cuts.ts'
import { fastestTempRoot } from '../support/child-process.ts'
import { runProgram } from './run-program.ts'
import { buildShim } from '../support/shim.ts'

const CONTROLS = [{ sync: 'OFF' }, { sync: 'NORMAL' }, { isUnsynced: true }] as const
const RUNS_PER_CONTROL = 8

await runProgram({ runs: 100, seed: 1 }, async ({ runs, seed }, onProgress) => {
  const root = realpathSync(mkdtempSync(join(fastestTempRoot(), 'throughline-power-')))
  try {
    const shim = buildShim(root)
    const why = shim ? whyNoPowerCuts(root) : 'there is no C compiler'
    if (!shim || why !== undefined) return { isWell: false, cannot: why }
    const tally = await runPowerCuts({ runs, seed, root, shim, onProgress })
    const unseen: string[] = []
    for (const control of CONTROLS) {
      const { violations } = await runPowerCuts({
        runs: RUNS_PER_CONTROL,
        seed,
        root,
        shim,
        control,
      })
      onProgress(`${JSON.stringify(control)}: ${violations[0]?.detail ?? 'was not detected'}`)
      if (violations.length === 0) unseen.push(JSON.stringify(control))
    }
    return { isWell: tally.violations.length === 0 && unseen.length === 0, ...tally, unseen }
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
})
