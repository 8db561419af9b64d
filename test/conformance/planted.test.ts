import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { memory } from '../../src/backends/memory/index.ts'
import { logCases } from '../../src/ports/conformance/log.ts'
import type { Can, Case, Trial } from '../../src/ports/conformance/prove.ts'
import { prove } from '../../src/ports/conformance/prove.ts'
import { storeCases } from '../../src/ports/conformance/store.ts'
import type { Backend } from '../../src/ports/store.ts'
import type { Defect } from './planted.ts'
import { logDefects } from './planted.ts'
import { fenceDefects } from './planted-fences.ts'
import { keepingDefects } from './planted-keeping.ts'
import { readDefects } from './planted-reads.ts'
import { storeDefects } from './planted-store.ts'
import { swapDefects } from './planted-swaps.ts'
import { streamEndDefects, textDefects } from './planted-texts.ts'
import { unitDefects } from './planted-units.ts'

const defects: readonly Defect[] = [
  ...logDefects,
  ...readDefects,
  ...keepingDefects,
  ...storeDefects,
  ...fenceDefects,
  ...unitDefects,
  ...swapDefects,
  ...textDefects,
  ...streamEndDefects,
]

const cases: readonly Case<Trial<Backend>, Can>[] = [...logCases, ...storeCases]

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
      assert.equal(finding?.is, 'broken', each.promise)
    })
})

test('defects have names of their own', () => {
  const names = defects.map(({ defect }) => defect)
  assert.equal(new Set(names).size, names.length)
})
