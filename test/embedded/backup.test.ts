import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, truncateSync } from 'node:fs'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { TestContext } from 'node:test'
import { suite, test } from 'node:test'
import { seededRandom } from 'throughline/testing'
import type { Clock } from '../../src/base/time/clock.ts'
import { systemClock } from '../../src/base/time/clock.ts'
import {
  ORDERS,
  testEvents,
  idsOf,
  readAll,
  appendStored,
} from '../../src/ports/conformance/fixtures.ts'
import { testTopic } from '../../src/ports/conformance/fixtures.ts'
import type { BackupSummary } from '../../src/ports/backup-and-archive.ts'
import type { Backend } from '../../src/ports/event-store.ts'
import { createBackup } from '../../src/backends/embedded/backup/create-backup.ts'
import { dataFiles, lockDirectory } from '../../src/backends/embedded/files/directory.ts'
import { embedded, restore } from '../../src/backends/embedded/index.ts'
import { PAGE_BYTES } from '../../src/backends/embedded/sql/schema.ts'
import { close, place } from './support/data-directory.ts'

async function open(t: TestContext, directory: string, isReadOnly = false): Promise<Backend> {
  const backend = embedded({ directory, isReadOnly })
  t.after(() => close(backend))
  await backend.log.open()
  await backend.store.open()
  return backend
}

/** Data with 500 events and a lease, its backup, and a target for restores. */
async function backedUp(t: TestContext): Promise<{
  readonly root: string
  readonly data: string
  readonly copy: string
  readonly into: string
  readonly backend: Backend
  readonly note: BackupSummary
}> {
  const root = place(t)
  const [data, copy, into] = [join(root, 'data'), join(root, 'copy'), join(root, 'into')]
  const backend = await open(t, data)
  await backend.log.declare([testTopic(ORDERS)])
  await appendStored(backend.log, testEvents('a', 500))
  await backend.store.beat({ id: 'one' }, ['lane'], 60_000)
  const note = await backend.backup?.(copy)
  assert.ok(note)
  return { root, data, copy, into, backend, note }
}

const epochOf = (directory: string): unknown => {
  const db = new DatabaseSync(join(directory, 'throughline.db'), { readOnly: true })
  try {
    return db.prepare("SELECT value FROM meta WHERE name = 'epoch'").get()?.['value']
  } finally {
    db.close()
  }
}

suite('a backup', () => {
  test('contains everything that was acked when it began, unchanged', async (t) => {
    const { copy, into, backend, note } = await backedUp(t)
    assert.deepEqual(readdirSync(copy).toSorted(), [
      'backup.json',
      'high-water',
      'throughline.db',
      'throughline.json',
    ])
    assert.equal(
      note.ends.reduce((sum, { next }) => sum + next, 0),
      500,
    )
    const before = await readAll(backend.log)
    await appendStored(backend.log, testEvents('b', 10))
    const restored = await restore({ from: copy, directory: into })
    assert.equal(restored.sha256, note.sha256)
    const again = await open(t, into)
    assert.deepEqual(await readAll(again.log), before)
    await appendStored(again.log, testEvents('c', 10))
  })

  test('is complete while events are appended, and keeps batches whole', async (t) => {
    const { root, into, backend } = await backedUp(t)
    await appendStored(backend.log, testEvents('fill', 20_000))
    const copying = backend.backup?.(join(root, 'busy'))
    let isDone = false
    void copying?.finally(() => (isDone = true))
    let batches = 0
    while (!isDone) {
      const batch = testEvents(`batch-${batches}`, 100)
      await backend.log.append(batch, { isAtomic: true })
      batches += 1
    }
    const note = await copying
    assert.ok(batches > 3, `${batches} batches came meanwhile`)
    await restore({ from: join(root, 'busy'), directory: into })
    const again = await open(t, into)
    const ids = new Set(idsOf(await readAll(again.log)))
    assert.equal(
      ids.size,
      note?.ends.reduce((sum, { next }) => sum + next, 0),
    )
    for (const { id } of testEvents('fill', 20_000)) assert.ok(ids.has(id), id)
    let isMissing = false
    for (let at = 0; at < batches; at += 1) {
      const has = testEvents(`batch-${at}`, 100).filter(({ id }) => ids.has(id)).length
      assert.ok(has === 0 || has === 100, `batch ${at} has ${has}`)
      assert.ok(!(isMissing && has > 0), 'none is there behind one that is missing')
      isMissing = has === 0
    }
  })

  test('starts between two transactions of its owner', async (t) => {
    const { root, data, backend } = await backedUp(t)
    await close(backend)
    const db = new DatabaseSync(join(data, 'throughline.db'))
    t.after(() => db.close())
    db.exec("BEGIN IMMEDIATE; INSERT INTO meta (name, value) VALUES ('late', '1')")
    const database = { db: () => db, reconnect: () => undefined }
    const source = { directory: data, database, isShared: false }
    const to = join(root, 'between')
    const clock = systemClock()
    const after: Clock['after'] = (delayMs, run) => {
      // The first step found the transaction open.
      if (db.isTransaction) db.exec('COMMIT')
      return clock.after(delayMs, run)
    }
    const { bytes } = await createBackup({ ...source, isOpen: () => true }, to, { ...clock, after })
    assert.ok(bytes > 0)
    const copied = new DatabaseSync(join(to, 'throughline.db'), { readOnly: true })
    const late = copied.prepare("SELECT value FROM meta WHERE name = 'late'").get()
    copied.close()
    assert.equal(late?.['value'], '1')
  })

  test('reports its progress in bytes', async (t) => {
    const { root, backend } = await backedUp(t)
    const reported: { readonly done: number; readonly total: number }[] = []
    const note = await backend.backup?.(join(root, 'reported'), (progress) =>
      reported.push(progress),
    )
    assert.ok(reported.every(({ done, total }) => done <= total && total === note?.bytes))
    assert.equal(reported.at(-1)?.done, note?.bytes)
  })

  test('of data without a running owner is the same', async (t) => {
    const { root, data, into, backend } = await backedUp(t)
    const before = await readAll(backend.log)
    await close(backend)
    const reader = await open(t, data, true)
    await reader.backup?.(join(root, 'rest'))
    await restore({ from: join(root, 'rest'), directory: into })
    assert.deepEqual(await readAll((await open(t, into)).log), before)
  })

  test('of a read-only backend is of one moment, while the owner writes', async (t) => {
    const { root, data, into, backend } = await backedUp(t)
    await appendStored(backend.log, testEvents('fill', 20_000))
    const reader = await open(t, data, true)
    let writing = Promise.resolve()
    let batches = 0
    const note = await reader.backup?.(join(root, 'beside'), () => {
      batches += 1
      const batch = testEvents(`late-${batches}`, 10)
      writing = writing.then(() => appendStored(backend.log, batch))
    })
    await writing
    assert.ok(batches > 3)
    assert.equal(
      note?.ends.reduce((sum, { next }) => sum + next, 0),
      20_500,
    )
    await restore({ from: join(root, 'beside'), directory: into })
    assert.equal((await readAll((await open(t, into)).log)).length, 20_500)
  })

  test('refuses an existing directory', async (t) => {
    const { copy, root, backend } = await backedUp(t)
    const before = readFileSync(join(copy, 'throughline.db'))
    await assert.rejects(async () => backend.backup?.(copy), { code: 'DIRECTORY_TAKEN' })
    assert.deepEqual(readFileSync(join(copy, 'throughline.db')), before)
    mkdirSync(join(root, 'new.part'))
    writeFileSync(join(root, 'new.part', 'mine.txt'), 'mine')
    await assert.rejects(async () => backend.backup?.(join(root, 'new')), {
      code: 'DIRECTORY_TAKEN',
      message: /mine\.txt/,
    })
    assert.deepEqual(readdirSync(join(root, 'new.part')), ['mine.txt'])
  })

  test('removes what a killed backup left, and leaves a running one alone', async (t) => {
    const { root, backend } = await backedUp(t)
    const part = join(root, 'new.part')
    mkdirSync(part)
    writeFileSync(join(part, 'throughline.db'), 'half')
    writeFileSync(join(part, 'throughline.db-journal'), 'half')
    const other = lockDirectory(dataFiles(part), 0)
    await assert.rejects(async () => backend.backup?.(join(root, 'new')), { code: 'DATA_OWNED' })
    assert.equal(readFileSync(join(part, 'throughline.db'), 'utf8'), 'half')
    other.release()
    await backend.backup?.(join(root, 'new'))
    assert.equal(existsSync(part), false)
    assert.equal(existsSync(join(root, 'new', 'backup.json')), true)
  })

  test('leaves nothing when its owner closes during the copy', async (t) => {
    const { root, backend } = await backedUp(t)
    await appendStored(backend.log, testEvents('fill', 20_000))
    let isClosed = false
    const copying = backend.backup?.(join(root, 'cut'), () => {
      if (isClosed) return
      isClosed = true
      void close(backend)
    })
    await assert.rejects(async () => copying, /the data directory was closed during the backup/)
    assert.deepEqual(
      readdirSync(root).filter((name) => name.startsWith('cut')),
      [],
    )
  })

  test('is refused as a data directory', async (t) => {
    const { copy } = await backedUp(t)
    const backend = embedded({ directory: copy })
    await assert.rejects(backend.log.open(), { code: 'DATA_IS_BACKUP' })
    const reader = await open(t, copy, true)
    assert.equal((await readAll(reader.log)).length, 500)
  })
})

suite('a restore', () => {
  test('starts a new epoch, in which old leases are fenced', async (t) => {
    const { data, copy, into, note, backend } = await backedUp(t)
    const { newEpoch } = await restore({ from: copy, directory: into })
    assert.equal(epochOf(data), note.epoch)
    assert.equal(epochOf(into), newEpoch)
    assert.notEqual(newEpoch, note.epoch)
    const [old] = (await backend.store.beat({ id: 'one' }, ['lane'], 60_000)).held
    const { store } = await open(t, into)
    const [held] = (await store.beat({ id: 'two' }, ['lane'], 60_000)).held
    assert.ok(old && held && held.generation > old.generation)
  })

  for (const name of ['flipped', 'cut', 'gone', 'unread', 'newer'] as const)
    test(`of a backup that is ${name} leaves nothing behind`, async (t) => {
      const { copy, into } = await backedUp(t)
      const database = join(copy, 'throughline.db')
      const note = join(copy, 'backup.json')
      const bytes = readFileSync(database)
      const random = seededRandom(7)
      const at = Math.floor(random() * bytes.length)
      if (name === 'flipped') {
        bytes[at] = (bytes[at] ?? 0) ^ 1
        writeFileSync(database, bytes)
      } else if (name === 'cut') truncateSync(database, bytes.length - PAGE_BYTES)
      else if (name === 'gone') rmSync(database)
      else if (name === 'unread') writeFileSync(note, '{"made":')
      else writeFileSync(note, readFileSync(note, 'utf8').replace(/"format":\d+/, '"format":999'))
      const code = name === 'newer' ? 'DATA_NEWER' : 'BACKUP_DAMAGED'
      await assert.rejects(restore({ from: copy, directory: into }), { code })
      assert.equal(existsSync(into), false)
      // Also in a directory that existed before.
      mkdirSync(into)
      await assert.rejects(restore({ from: copy, directory: into }), { code })
      assert.deepEqual(readdirSync(into), [])
    })

  test('needs a backup', async (t) => {
    const { data, into } = await backedUp(t)
    await assert.rejects(restore({ from: data, directory: into }), { code: 'BACKUP_MISSING' })
  })

  test('refuses a directory that is not empty', async (t) => {
    const { copy, data, into } = await backedUp(t)
    await assert.rejects(restore({ from: copy, directory: data }), { code: 'DIRECTORY_TAKEN' })
    mkdirSync(into)
    writeFileSync(join(into, 'mine.txt'), 'mine')
    await assert.rejects(restore({ from: copy, directory: into }), { code: 'DIRECTORY_TAKEN' })
    assert.deepEqual(readdirSync(into), ['mine.txt'])
  })

  test('that was killed is refused as a data directory, and can be repeated', async (t) => {
    const { copy, into } = await backedUp(t)
    mkdirSync(into)
    writeFileSync(join(into, 'restoring.json'), '{}')
    writeFileSync(join(into, 'throughline.db'), readFileSync(join(copy, 'throughline.db')))
    await assert.rejects(embedded({ directory: into }).log.open(), { code: 'DATA_FOREIGN' })
    await restore({ from: copy, directory: into })
    assert.equal((await readAll((await open(t, into)).log)).length, 500)
  })

  test('never removes data, although the mark of a restore is there', async (t) => {
    const { copy, into } = await backedUp(t)
    await restore({ from: copy, directory: into })
    writeFileSync(join(into, 'restoring.json'), '{}')
    await assert.rejects(restore({ from: copy, directory: into }), { code: 'DIRECTORY_TAKEN' })
    assert.equal((await readAll((await open(t, into)).log)).length, 500)
  })

  test('reports its progress', async (t) => {
    const { copy, into, note } = await backedUp(t)
    const reported: number[] = []
    await restore({
      from: copy,
      directory: into,
      clock: systemClock(),
      onProgress: ({ done }) => void reported.push(done),
    })
    assert.equal(reported.at(-1), note.bytes)
  })
})
