// Injects disk faults of every kind at every call, and checks the answers. Needs a C compiler.
//
//   npm run crash:disk
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { SWEEP_NAMES, sweep, sweepsOnceOpen } from './disks.ts'
import { swiftest } from './child.ts'
import { program } from './program.ts'
import { buildShim } from './shim.ts'

await program({}, async (_, tell) => {
  const root = realpathSync(mkdtempSync(join(swiftest(), 'throughline-disk-')))
  try {
    const shim = buildShim(root)
    if (!shim) return { isWell: false, cannot: 'there is no C compiler' }
    let [points, wrongCount] = [0, 0]
    for (const isFromStart of [false, true])
      for (const name of isFromStart ? SWEEP_NAMES : sweepsOnceOpen) {
        const tally = await sweep(name, { root, shim, isFromStart })
        points += tally.points
        wrongCount += tally.complaints.length
        const when = isFromStart ? 'from the start' : 'once it is open'
        tell(`${name}, ${when}: ${tally.points} calls, ${JSON.stringify(tally.answers)}`)
        for (const complaint of tally.complaints.slice(0, 5)) tell(`  ${complaint}`)
      }
    return { isWell: wrongCount === 0, points, wrongCount }
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
})
