// Injects disk faults of every kind at every call, and checks the answers. Needs a C compiler.
//
//   npm run crash:disk
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { SWEEP_NAMES, runSweep, sweepsOnceOpen } from '../support/disk-sweeps.ts'
import { fastestTempRoot } from '../support/child-process.ts'
import { runProgram } from './run-program.ts'
import { buildShim } from '../support/shim.ts'

await runProgram({}, async (_, onProgress) => {
  const root = realpathSync(mkdtempSync(join(fastestTempRoot(), 'throughline-disk-')))
  try {
    const shim = buildShim(root)
    if (!shim) return { isWell: false, cannot: 'there is no C compiler' }
    let [points, wrongCount] = [0, 0]
    for (const isFromStart of [false, true])
      for (const name of isFromStart ? SWEEP_NAMES : sweepsOnceOpen) {
        const tally = await runSweep(name, { root, shim, isFromStart })
        points += tally.points
        wrongCount += tally.violations.length
        const when = isFromStart ? 'from the start' : 'once it is open'
        onProgress(`${name}, ${when}: ${tally.points} calls, ${JSON.stringify(tally.answers)}`)
        for (const violation of tally.violations.slice(0, 5)) onProgress(`  ${violation}`)
      }
    return { isWell: wrongCount === 0, points, wrongCount }
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
})
