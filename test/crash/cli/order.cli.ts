// Repeatedly kills a process in which rules fail at random and dead letters are redriven, and checks that
// every key has kept its order.
//
//   npm run crash:order -- [--seed N] [--keys N] [--events N] [--kills N]
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { runOrder } from '../order/order-run.ts'
import { fastestTempRoot } from '../support/child-process.ts'
import { runProgram } from './run-program.ts'

const SIZE = { seed: 1, keys: 200, events: 20_000, kills: 6 } as const

await runProgram(SIZE, async (numbers, onProgress) => {
  const root = realpathSync(mkdtempSync(join(fastestTempRoot(), 'throughline-order-')))
  const tally = await runOrder({ ...numbers, root, onProgress })
  const isWell = tally.violations.length === 0
  if (isWell) rmSync(root, { recursive: true })
  else onProgress(`${root} is kept`)
  return { isWell, ...tally }
})
