// The backup and restore commands.
import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { start } from 'throughline'
import { memory } from 'throughline/testing'
import { runVerb } from '../../src/control/verbs.ts'
import type { VerifyResult } from '../../src/control/verify.ts'
import { systemOf } from '../../src/runtime/running-system.ts'
import { talking } from '../control/talking-services.ts'
import { withAndWithoutOwner, createTestDirectory } from './harness.ts'

withAndWithoutOwner('a backup', (at) => {
  test('is written and restored, with its size and time', async () => {
    const { code, out, err } = await at.run(['backup', 'copies/monday'])
    assert.deepEqual([code, err], [0, ''])
    const [held, next] = out.split('\n')
    assert.match(held ?? '', /^Backed up 12 records, \d+ KB, as of \d{4}-.+Z, to copies\/monday\.$/)
    assert.equal(next, 'Restore it with: throughline restore copies/monday --data DIRECTORY')
    const restored = await at.run(['restore', 'copies/monday', '--data', 'again'])
    assert.deepEqual([restored.code, restored.err], [0, ''])
    assert.match(restored.out, /^Restored 12 records, \d+ KB, as of \d{4}-.+Z, to again\.$/m)
    for (const data of ['copies/monday', 'again']) {
      const { isSound, records } = (await at.runJson('verify', '--data', data)) as VerifyResult
      assert.deepEqual([isSound, records], [true, 12])
    }
  })

  test('prints its result as JSON', async () => {
    const written = (await at.runJson('backup', 'as json')) as Record<string, unknown>
    const { directory, ...note } = written
    assert.equal(directory, join(at.root, 'as json'))
    const file = readFileSync(join(at.root, 'as json', 'backup.json'), 'utf8')
    const { made, format, ...said } = JSON.parse(file) as Record<string, unknown>
    assert.deepEqual([made, typeof format], ['throughline backup', 'number'])
    assert.deepEqual(note, said)
    const restored = (await at.runJson('restore', 'as json', '--data', 'from json')) as object
    const { newEpoch, missing, ...same } = restored as Record<string, unknown>
    assert.equal(typeof newEpoch, 'string')
    assert.deepEqual(missing, [])
    assert.deepEqual(same, { ...note, directory: join(at.root, 'from json') })
  })

  test('is refused if the target directory is not empty', async () => {
    const { code, err } = await at.run(['backup', 'data'])
    assert.equal(code, 1)
    assert.match(err, /^DIRECTORY_TAKEN: /)
    await at.run(['backup', 'twice'])
    const restored = await at.run(['restore', 'twice'])
    assert.equal(restored.code, 1)
    assert.match(restored.err, /^DIRECTORY_TAKEN: [^]*data holds /)
  })

  test('is refused inside the data itself, and a restore inside its backup', async () => {
    symlinkSync(at.data, join(at.root, 'link'))
    const before = readdirSync(at.data).toSorted()
    const own = await at.run(['backup', 'data'])
    assert.equal(own.code, 1)
    assert.match(own.err, /^DIRECTORY_TAKEN: .*data is the data itself$/m)
    for (const to of ['data/copy', 'link/copy', 'data/archive/copy']) {
      const { code, err } = await at.run(['backup', to])
      assert.equal(code, 2)
      assert.match(err, /^OPTION_INVALID: .*copy$/m)
      assert.match(err, /^ {2}- to: lies inside the data: name a place outside of it$/m)
    }
    assert.deepEqual(readdirSync(at.data).toSorted(), before)
    rmSync(join(at.root, 'link'))
    await at.run(['backup', 'tuesday'])
    const restored = await at.run(['restore', 'tuesday', '--data', 'tuesday/again'])
    assert.equal(restored.code, 2)
    assert.match(restored.err, /^ {2}- data: lies inside the backup: name a place outside of it$/m)
    assert.equal(existsSync(join(at.root, 'tuesday/again')), false)
  })

  test('that is damaged is not restored', async () => {
    await at.run(['backup', 'damaged'])
    const database = join(at.root, 'damaged', 'throughline.db')
    const bytes = readFileSync(database)
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
    writeFileSync(database, bytes)
    const { code, err } = await at.run(['restore', 'damaged', '--data', 'nothing'])
    assert.equal(code, 1)
    assert.match(err, /^BACKUP_DAMAGED: /)
    assert.equal(existsSync(join(at.root, 'nothing')), false)
  })

  test('cannot be opened as a data directory', async () => {
    await at.run(['backup', 'still'])
    const before = readdirSync(join(at.root, 'still'))
    const { code, err } = await at.run(['pause', 'asker', '--data', 'still', '--offline'])
    assert.equal(code, 1)
    assert.match(err, /^DATA_IS_BACKUP: /)
    const after = readdirSync(join(at.root, 'still')).filter((name) => !/-(?:shm|wal)$/.test(name))
    assert.deepEqual(after, before)
  })
})

test('a backup needs a backend that supports it, and an absolute path', async () => {
  await using app = await start(talking, memory())
  await assert.rejects(runVerb(systemOf(app), 'backup', { to: '/tmp/x' }), {
    code: 'BACKEND_CANNOT',
  })
  const at = createTestDirectory()
  await using owner = await at.launch()
  await assert.rejects(runVerb(systemOf(owner), 'backup', { to: 'here' }), {
    code: 'OPTION_INVALID',
    issues: [{ path: 'to', message: 'must be an absolute path' }],
  })
  await owner.stop()
  at.remove()
})
