// Damages data directories in every way, and sees that everything reads back or that the damage is
// named; never another content in silence. What is named has to flow again after a repair.
//
//   npm run crash:damage -- [--runs N] [--seed N]
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { damagerIn } from './damages.ts'
import { swiftest } from './child.ts'
import { program } from './program.ts'

await program({ runs: 1_000, seed: 1 }, async ({ runs, seed }, tell) => {
  const root = realpathSync(mkdtempSync(join(swiftest(), 'throughline-damage-')))
  const damager = await damagerIn(root, seed)
  try {
    const { wrong, ...counts } = await damager.damage({ runs, tell })
    for (const each of wrong) tell(each)
    // What was not loud, or not mended, is left, to be looked at.
    if (counts.wrongCount === 0) rmSync(root, { recursive: true })
    return { isWell: counts.wrongCount === 0, ...counts }
  } finally {
    await damager.close()
  }
})
