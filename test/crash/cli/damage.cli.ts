// Damages data directories in many ways, and checks that everything reads back unchanged or that the
// damage is reported, never silently wrong. After a repair the reported partitions must work again.
//
//   npm run crash:damage -- [--runs N] [--seed N]
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createDamager } from '../support/damager.ts'
import { fastestTempRoot } from '../support/child-process.ts'
import { runProgram } from './run-program.ts'

await runProgram({ runs: 1_000, seed: 1 }, async ({ runs, seed }, onProgress) => {
  const root = realpathSync(mkdtempSync(join(fastestTempRoot(), 'throughline-damage-')))
  const damager = await createDamager(root, seed)
  try {
    const { wrong, ...counts } = await damager.damage({ runs, onProgress })
    for (const each of wrong) onProgress(each)
    // Keep the directories of failures for inspection.
    if (counts.wrongCount === 0) rmSync(root, { recursive: true })
    return { isWell: counts.wrongCount === 0, ...counts }
  } finally {
    await damager.close()
  }
})
