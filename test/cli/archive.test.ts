// The archive command moves old messages into files, from which all commands still read them.
import assert from 'node:assert/strict'
import { readdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TopicArchiveResult } from '../../src/control/archive.ts'
import type { VerifyResult } from '../../src/control/verify.ts'
import { Asking } from '../control/talking-services.ts'
import { withAndWithoutOwner, createTestDirectory } from './harness.ts'

const ALL = ['--before', '2999-01-01', '--to', 'old']

withAndWithoutOwner('archive', (at, isRunning) => {
  const way = isRunning ? [] : ['--offline']

  test('moves messages into files, and replay prints the same as before', async () => {
    const before = await at.run(['replay', 'asking.commands'])
    const { code, out, err } = await at.run(['archive', 'asking.commands', ...ALL, ...way])
    assert.deepEqual([code, err], [0, ''])
    assert.match(out, /^Moved 3 records of asking\.commands into \d files? of \d+ B\.\n$/)
    assert.ok(readdirSync(join(at.root, 'old')).length > 0)
    assert.deepEqual(await at.run(['replay', 'asking.commands']), before)
    const again = await at.run(['archive', 'asking.commands', ...ALL, ...way])
    assert.equal(again.out, 'asking.commands has no records to move.\n')
    const { isSound, records } = (await at.runJson('verify')) as VerifyResult
    assert.deepEqual([isSound, records], [true, 12])
  })

  test('prints its result as JSON', async () => {
    const moved = (await at.runJson(
      'archive',
      'telling.events',
      ...ALL,
      ...way,
    )) as TopicArchiveResult
    assert.deepEqual([moved.topic, moved.records], ['telling.events', 3])
    assert.deepEqual(
      moved.partitions.map(({ partition }) => partition),
      [0, 1],
    )
  })

  test('refuses an unknown topic and suggests the nearest name', async () => {
    const { code, err } = await at.run(['archive', 'asking.comands', ...ALL, ...way])
    assert.equal(code, 1)
    assert.match(err, /did you mean "asking\.commands"\?/)
  })
})

test('archive names the consumer that it stops at, and needs --offline without an owner', async () => {
  const at = createTestDirectory()
  const app = await at.launch()
  await app.pause('asker')
  await app.send(Asking.Ask({ id: 'a' }))
  const { out } = await at.run(['archive', 'asking.commands', ...ALL])
  assert.match(
    out,
    /^ {2}asking\.commands\/\d stops at offset 0: asker\/question has read no further\.$/m,
  )
  await app.stop()
  const { code, err } = await at.run(['archive', 'asking.commands', ...ALL])
  assert.equal(code, 1)
  assert.match(err, /^DATA_READ_ONLY: /)
  at.remove()
})

test('a missing archive is an error, not an empty topic', async () => {
  const at = createTestDirectory()
  const app = await at.launch()
  await app.send(Asking.Ask({ id: 'a' }), { id: 'ask-a' })
  await app.settled()
  await app.stop()
  await at.run(['archive', 'asking.commands', ...ALL, '--offline'])
  renameSync(join(at.root, 'old'), join(at.root, 'elsewhere'))
  for (const argv of [
    ['log', 'asking.commands'],
    ['log', 'asking.commands', '--from', '0'],
    ['operations'],
    ['replay', 'asking.commands'],
  ]) {
    const { code, out, err } = await at.run(argv)
    assert.deepEqual([code, out], [1, ''], argv.join(' '))
    assert.match(err, /^ARCHIVE_MISSING: .*asking\.commands\/\d@\d/, argv.join(' '))
  }
  at.remove()
})
