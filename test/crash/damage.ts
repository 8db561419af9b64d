// Damages data directories in many ways, and checks that everything reads back unchanged or that the
// damage is reported, never silently wrong. After a repair the reported partitions must work again.
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
    // Keep the directories of failures for inspection.
    if (counts.wrongCount === 0) rmSync(root, { recursive: true })
    return { isWell: counts.wrongCount === 0, ...counts }
  } finally {
    await damager.close()
  }
})
