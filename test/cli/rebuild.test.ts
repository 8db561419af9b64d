// `throughline rebuild`: by the running owner, and with a module for data without an owner.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { after, before, suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { start } from 'throughline'
import { embedded } from 'throughline/embedded'
import type { TestDirectory } from './harness.ts'
import { createTestDirectory, systemFile } from './harness.ts'
import { Counting, services } from './systems/counting.ts'

const bin = fileURLToPath(new URL('../../src/cli/bin.mjs', import.meta.url))
const file = systemFile('counting')

suite('rebuild', () => {
  let at: TestDirectory
  before(async () => {
    at = createTestDirectory()
    await using app = await start(services, embedded({ directory: at.data }))
    for (const id of ['a', 'b', 'a']) await app.send(Counting.Count({ id }))
    await app.settled()
  })
  after(() => at.remove())

  test('rebuilds the rows without an owner', async () => {
    const { code, out, err } = await at.run(['rebuild', file, 'counters/times'])
    assert.deepEqual([code, err], [0, ''])
    assert.equal(out, 'Rebuilt counters/times: version 1, from 3 events.\n')
    const rebuilt = { projection: 'counters/times', version: 1, events: 3 }
    assert.deepEqual(await at.runJson('rebuild', file, 'counters/times'), rebuilt)
  })

  test('asks the running owner, and ignores the module', async () => {
    await using app = await start(services, embedded({ directory: at.data }))
    const { code, out } = await at.run(['rebuild', 'nowhere.ts', 'counters/times'])
    assert.deepEqual([code, out], [0, 'Rebuilt counters/times: version 1, from 3 events.\n'])
    await app.send(Counting.Count({ id: 'c' }))
    await app.settled()
    const rebuilt = { projection: 'counters/times', version: 1, events: 4 }
    assert.deepEqual(await at.runJson('rebuild', file, 'counters/times'), rebuilt)
    const wrong = await at.run(['rebuild', file, 'counters/time'])
    assert.equal(wrong.code, 1)
    assert.match(wrong.err, /^PROJECTION_NOT_FOUND: [^]*did you mean "counters\/times"/)
  })

  test('reports a failure once', () => {
    const argv = ['rebuild', systemFile('miscounting'), 'counters/times']
    const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...argv], {
      cwd: at.root,
      encoding: 'utf8',
      timeout: 20_000,
    })
    assert.deepEqual([status, stdout], [1, ''])
    assert.match(stderr, /^REBUILD_FAILED: /)
    assert.equal(stderr.split('the abacus is broken').length - 1, 1, stderr)
  })

  test('reports missing data, a missing module, and an unknown projection', async () => {
    const data = await at.run(['rebuild', file, 'counters/times', '--data', 'none'])
    assert.match(data.err, /^DATA_MISSING/)
    const module = await at.run(['rebuild', 'nowhere.ts', 'counters/times'])
    assert.deepEqual([module.code, /nowhere\.ts: does not exist/.test(module.err)], [2, true])
    const projection = await at.run(['rebuild', file, 'counter/times'])
    assert.match(projection.err, /^PROJECTION_NOT_FOUND: [^]*known: counters\/times/)
    assert.equal((await at.run(['rebuild', file])).code, 2)
  })
})
