import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { memory } from '../../../src/backends/memory/index.ts'
import { logCases } from '../../../src/ports/conformance/log-cases.ts'
import type { Capabilities, Case, Trial } from '../../../src/ports/conformance/prove.ts'
import { prove } from '../../../src/ports/conformance/prove.ts'
import { storeCases } from '../../../src/ports/conformance/store-cases.ts'
import type { Backend } from '../../../src/ports/event-store.ts'
import type { Defect } from './log-defects.ts'
import { conversationDefects } from './conversation-defects.ts'
import { ledgerDefects } from './ledger-defects.ts'
import { payloadDefects } from './payload-defects.ts'
import { logDefects } from './log-defects.ts'
import { fenceDefects } from './fence-defects.ts'
import { retentionDefects } from './retention-defects.ts'
import { readDefects } from './read-defects.ts'
import { storeDefects } from './store-defects.ts'
import { statusDefects } from './status-defects.ts'
import { swapDefects } from './swap-defects.ts'
import { streamEndDefects, textDefects } from './text-defects.ts'
import { unitDefects } from './unit-defects.ts'

const defects: readonly Defect[] = [
  ...logDefects,
  ...readDefects,
  ...retentionDefects,
  ...storeDefects,
  ...fenceDefects,
  ...unitDefects,
  ...swapDefects,
  ...statusDefects,
  ...ledgerDefects,
  ...payloadDefects,
  ...conversationDefects,
  ...textDefects,
  ...streamEndDefects,
]

const cases: readonly Case<Trial<Backend>, Capabilities>[] = [...logCases, ...storeCases]

/** A memory backend with a defect. When reopened, it is empty. */
async function planted({ plant }: Defect): Promise<Trial<Backend>> {
  const sound = memory()
  const backend = plant(sound)
  return {
    backend,
    beside: async () => backend,
    reopen: async () => plant(memory()),
    async close() {
      await backend.log.close()
      await sound.log.close()
    },
  }
}

suite('the suite finds a planted defect', { concurrency: 8 }, () => {
  for (const each of defects)
    test(each.defect, async () => {
      const named = cases.filter(({ promise }) => promise === each.promise)
      assert.equal(named.length, 1, 'the promise is one of the suite')
      const [finding] = await prove(named, () => planted(each), { deadlineMs: 1_500 })
      assert.equal(finding?.status, 'broken', each.promise)
    })
})

test('defects have names of their own', () => {
  const names = defects.map(({ defect }) => defect)
  assert.equal(new Set(names).size, names.length)
})
