// Archives with damaged files, and interrupted archiving.
import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { statSync, truncateSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { suite, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { archivePartition } from '../../src/backends/embedded/archive/archive-partition.ts'
import type { Connection } from '../../src/backends/embedded/connection/connection.ts'
import { ownerMode, shareConnection } from '../../src/backends/embedded/connection/connection.ts'
import { restore } from '../../src/backends/embedded/index.ts'
import { createEmbeddedLog } from '../../src/backends/embedded/connection/embedded-log.ts'
import { createNotifier } from '../../src/base/time/notifier.ts'
import { systemClock } from '../../src/base/time/clock.ts'
import { ORDERS, testEvent, readAll, appendStored } from '../../src/ports/conformance/fixtures.ts'
import { resultCode } from '../../src/ports/conformance/fixtures.ts'
import type { ArchiveFixture } from './support/archive-fixture.ts'
import {
  COUNT,
  KEY,
  PARTITION,
  close,
  fixtureEvents,
  archiveBefore,
  open,
  readFrom,
  createArchiveFixture,
  zcat,
} from './support/archive-fixture.ts'

suite('a file of an archive', () => {
  test('that is missing stops reading at its range, and nothing else', async (t) => {
    const at = await createArchiveFixture(t)
    const [file = ''] = (await archiveBefore(at, 1_500)).files
    await archiveBefore(at, 2_000)
    const away = join(at.root, basename(file))
    // Restart, since blocks that were read are still cached.
    await close(at.backend)
    renameSync(file, away)
    const backend = await open(t, at.data)
    const slice = await readFrom(backend, 0)
    assert.deepEqual([slice.records, slice.next], [[], 0])
    const { code, from, to = 0, file: named } = slice.damage ?? {}
    assert.deepEqual([code, from, named], ['ARCHIVE_MISSING', 0, file])
    assert.ok(to > 0 && to <= 1_500)
    assert.deepEqual((await readFrom(backend, 1_500)).records, at.records.slice(1_500))
    await assert.rejects(async () => backend.log.find?.(ORDERS, 'e-3'), { code: 'ARCHIVE_MISSING' })
    assert.equal((await backend.log.find?.(ORDERS, 'e-1600'))?.id, 'e-1600')
    assert.deepEqual((await backend.log.append([testEvent('new', { key: KEY })])).map(resultCode), [
      'stored',
    ])
    const health = await backend.log.health()
    assert.equal(health.status, 'failing')
    assert.match(health.detail, /^ARCHIVE_MISSING: .* offsets 0 to \d+, archived in .+\.gz$/)
    // Once put back it is read again at once, also from the archive folder of the data directory.
    renameSync(away, file)
    assert.equal((await backend.log.health()).status, 'well')
    assert.equal((await readFrom(backend, 0)).records.length, COUNT + 1)
    await close(backend)
    mkdirSync(join(at.data, 'archive'))
    renameSync(file, join(at.data, 'archive', basename(file)))
    assert.equal((await readFrom(await open(t, at.data), 0)).records.length, COUNT + 1)
  })

  const flaws: readonly (readonly [string, (path: string) => void])[] = [
    [
      'flipped',
      (path) => {
        const bytes = readFileSync(path)
        const at = bytes.length >> 2
        bytes[at] = (bytes[at] ?? 0) ^ 4
        writeFileSync(path, bytes)
      },
    ],
    ['cut off', (path) => truncateSync(path, 100)],
    [
      'one of other records',
      (path) => {
        const other = gzipSync('{"offset":99999,"head":{},"data":{}}\n')
        const rest = Buffer.alloc(statSync(path).size - other.length)
        writeFileSync(path, Buffer.concat([other, rest]))
      },
    ],
    ['another file', (path) => writeFileSync(path, readFileSync(path).toReversed())],
    [
      'a directory',
      (path) => {
        rmSync(path)
        mkdirSync(path)
      },
    ],
  ]
  for (const [name, harm] of flaws)
    test(`that is ${name} stops reading with the exact range`, async (t) => {
      const at = await createArchiveFixture(t)
      const [file = ''] = (await archiveBefore(at, 2_000)).files
      await close(at.backend)
      const kept = `${file}.kept`
      copyFileSync(file, kept)
      harm(file)
      const backend = await open(t, at.data)
      const slice = await readFrom(backend, 0)
      const { code, from = -1, to = -1, file: named } = slice.damage ?? {}
      assert.deepEqual([code, named], ['ARCHIVE_DAMAGED', file])
      assert.equal(slice.next, from)
      assert.deepEqual(slice.records, at.records.slice(0, from))
      assert.ok(to > from && to <= 2_000)
      assert.deepEqual((await readFrom(backend, 2_000)).records, at.records.slice(2_000))
      const found = await backend.log.inspect?.(ORDERS, PARTITION, from, 1)
      assert.equal(found?.damaged[0]?.code, 'ARCHIVE_DAMAGED')
      assert.match((await backend.log.health()).detail, /^ARCHIVE_DAMAGED: /)
      rmSync(file, { recursive: true })
      renameSync(kept, file)
      assert.equal((await backend.log.health()).status, 'well')
      assert.deepEqual((await readFrom(backend, 0)).records, at.records)
    })

  test('is named by what is in it, and never written over by a copy of the data', async (t) => {
    const at = await createArchiveFixture(t)
    await at.backend.backup?.(join(at.root, 'copy'))
    await restore({ from: join(at.root, 'copy'), directory: join(at.root, 'twin') })
    const twin = { ...at, backend: await open(t, join(at.root, 'twin')) }
    await appendStored(at.backend.log, fixtureEvents('mine', 100))
    await appendStored(twin.backend.log, fixtureEvents('its', 100))
    for (const each of [at, twin, at, twin]) await archiveBefore(each, COUNT + 50)
    assert.equal(readdirSync(at.to).length, 2)
    const mine = await readAll(at.backend.log)
    await close(at.backend)
    await close(twin.backend)
    assert.deepEqual(await readAll((await open(t, at.data)).log), mine)
    const its = await readAll((await open(t, join(at.root, 'twin'))).log)
    assert.equal(its.at(-1)?.id, 'its-99')
  })

  test('is asked for by a backup, and missed by its restore', async (t) => {
    const at = await createArchiveFixture(t)
    const { files } = await archiveBefore(at, 2_000)
    const note = await at.backend.backup?.(join(at.root, 'copy'))
    assert.deepEqual(note?.archives, files)
    const into = (name: string): { from: string; directory: string } => {
      return { from: join(at.root, 'copy'), directory: join(at.root, name) }
    }
    assert.deepEqual((await restore(into('one'))).missing, [])
    assert.deepEqual(await readAll((await open(t, join(at.root, 'one'))).log), at.records)
    renameSync(files[0] ?? '', join(at.root, 'away'))
    assert.deepEqual((await restore(into('two'))).missing, files)
  })
})

/** Archives records, and fails at the n-th commit as a kill would. */
async function cutAt({ data, to }: ArchiveFixture, number: number): Promise<boolean> {
  const clock = systemClock()
  const news = createNotifier(clock)
  const [use] = shareConnection(data, clock, news, ownerMode)
  const log = createEmbeddedLog(use, news, clock)
  await log.open()
  let count = 0
  const connection = (): Connection => {
    const real = use.connection()
    const submit: Connection['commits']['submit'] = (request) => {
      count += 1
      if (count === number) throw new Error('killed')
      return real.commits.submit(request)
    }
    return { ...real, commits: { ...real.commits, submit } }
  }
  const wish = { topic: ORDERS, partition: PARTITION, before: 2_400, to }
  try {
    await archivePartition({ use: { ...use, connection }, log, clock }, wish)
    return false
  } catch (cause) {
    assert.match(String(cause), /killed/)
    return true
  } finally {
    await log.close()
  }
}

suite('an archive that is cut short', () => {
  test('while its file grows is done again, and loses nothing', async (t) => {
    const at = await createArchiveFixture(t)
    let isClosed = false
    const wish = { topic: ORDERS, partition: PARTITION, before: 2_000, to: at.to }
    const moving = at.backend.archive?.(wish, () => {
      if (!isClosed) void close(at.backend)
      isClosed = true
    })
    await assert.rejects(async () => moving)
    await close(at.backend)
    assert.deepEqual(readdirSync(at.to), [], 'no part of a file is left')
    const again = { ...at, backend: await open(t, at.data) }
    assert.deepEqual(await readAll(again.backend.log), at.records)
    assert.equal((await archiveBefore(again, 2_000)).records, 2_000)
    assert.deepEqual(await readAll(again.backend.log), at.records)
  })

  test('at any of its commits is ended by the next one, and loses nothing', async (t) => {
    let number = 1
    for (let isCut = true; isCut; number += 1) {
      const at = await createArchiveFixture(t)
      await close(at.backend)
      isCut = await cutAt(at, number)
      const again = { ...at, backend: await open(t, at.data) }
      assert.deepEqual(await readAll(again.backend.log), at.records, `cut at ${number}`)
      const moved = await archiveBefore(again, 2_400)
      assert.equal(moved.to, 2_400)
      assert.deepEqual(await readAll(again.backend.log), at.records, `after ${number}`)
      const files = readdirSync(at.to).map((name) => join(at.to, name))
      // A repeated file with the same content gets the same name.
      assert.equal(files.length, 1)
      assert.equal(zcat(files).length, 2_400)
      await close(again.backend)
      const db = new DatabaseSync(join(at.data, 'throughline.db'), { readOnly: true })
      const left = db.prepare("SELECT min(off) AS first FROM log WHERE head <> ''").get()
      db.close()
      assert.equal(left?.['first'], 2_400)
    }
    assert.ok(number > 4, `${number} commits were cut`)
  })
})
