// Sends seeded random requests to the operator API of a busy app, and fails on any server error, slow or
// undocumented answer, and on any change without the token.
//
//   npm run fuzz:admin -- [--requests 100000] [--seed 42] [--slowMs 1000]
//
// `slowMs` is the limit for one answer, on a machine that has nothing else to do.
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { runProgram } from '../crash/cli/run-program.ts'
import { fastestTempRoot } from '../crash/support/child-process.ts'
import { fuzzAdmin } from './fuzz-admin.ts'

await runProgram({ requests: 100_000, seed: 42, slowMs: 1_000 }, async (numbers, onProgress) => {
  const root = mkdtempSync(join(fastestTempRoot(), 'throughline-fuzz-'))
  try {
    const report = await fuzzAdmin({ ...numbers, directory: join(root, 'data'), onProgress })
    return { isWell: report.findings.length === 0 && report.faults.length === 0, ...report }
  } finally {
    rmSync(root, { recursive: true })
  }
})
