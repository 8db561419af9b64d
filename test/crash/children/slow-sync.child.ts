// Appends from many callers while each sync is slow; prints how many syncs it took.
import { embedded } from '../../../src/backends/embedded/index.ts'
import {
  ORDERS,
  testEvent,
  testTopic,
  resultCode,
} from '../../../src/ports/conformance/fixtures.ts'
import { faultsIn } from '../support/shim.ts'

/** The results. */
export interface SlowSyncResult {
  readonly verdicts: readonly string[]
  readonly syncs: number
  readonly tookMs: number
  readonly health: string
}

const [directory = '', path = '', delayMs = '0', count = '0'] = process.argv.slice(2)

if (import.meta.main) {
  const { log } = embedded({ directory })
  await log.open()
  await log.declare([testTopic(ORDERS)])
  const faults = faultsIn(path)
  faults.plan({ files: ['wal'], calls: ['sync'], nth: 1, act: 'delay', delayMs: Number(delayMs) })
  const began = performance.now()
  const answers = await Promise.all(
    Array.from({ length: Number(count) }, (_, at) => log.append([testEvent(`slow-${at}`)])),
  )
  const slow: SlowSyncResult = {
    verdicts: answers.flat().map(resultCode),
    syncs: faults.counts().hit,
    tookMs: performance.now() - began,
    health: (await log.health()).status,
  }
  faults.heal()
  await log.close()
  process.stdout.write(`${JSON.stringify(slow)}\n`)
}
