import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { TestContext } from 'node:test'
import { suite, test } from 'node:test'
import {
  ORDERS,
  testEvents,
  readAll,
  appendStored,
  testTopic,
} from '../../src/ports/conformance/fixtures.ts'
import type { Backend } from '../../src/ports/event-store.ts'
import { embedded } from '../../src/backends/embedded/index.ts'
import { close, place } from './support/data-directory.ts'

const MARKER = 'throughline.json'
const DATABASE = 'throughline.db'
const WAL = `${DATABASE}-wal`
const PAGE_BYTES = 4_096

/** A temporary directory, removed after the test. */
/** A directory with 500 events in it, closed. */
async function filled(t: TestContext): Promise<string> {
  const directory = place(t)
  const backend = embedded({ directory })
  await fill(backend)
  await close(backend)
  return directory
}

async function fill({ log, store }: Backend): Promise<void> {
  await log.open()
  await store.open()
  await log.declare([testTopic(ORDERS)])
  await store.declare([{ name: 'shop.orders', indexes: [] }])
  await appendStored(log, testEvents('a', 500))
}

/** A directory as a killed process leaves it, with a write-ahead log. */
async function killed(t: TestContext): Promise<string> {
  const [directory, copy] = [await filled(t), join(place(t), 'copy')]
  const backend = embedded({ directory })
  await backend.log.open()
  await appendStored(backend.log, testEvents('b', 500))
  cpSync(directory, copy, { recursive: true })
  await close(backend)
  assert.ok(statSync(join(copy, WAL)).size > 0)
  return copy
}

/**
 * The names and contents of all files in a directory, without the owner files and the index of the
 * write-ahead log.
 */
function contents(directory: string): ReadonlyMap<string, string> {
  const isOurs = existsSync(join(directory, MARKER))
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter(
    ({ name }) => !isOurs || !(name.startsWith('owner.') || name.endsWith('-shm')),
  )
  return new Map(
    files
      .map(({ name, parentPath }) => join(parentPath, name))
      .toSorted()
      .map((path) => [path, statSync(path).isFile() ? readFileSync(path, 'latin1') : '']),
  )
}

function edit(path: string, change: (bytes: Buffer) => void): void {
  const bytes = readFileSync(path)
  change(bytes)
  writeFileSync(path, bytes)
}

/** Checks that opening is refused with a code, repeatedly, and changes nothing. */
async function refused(directory: string, code: string, detail?: RegExp): Promise<void> {
  const before = contents(directory)
  for (let round = 0; round < 2; round += 1) {
    const { log, store } = embedded({ directory })
    for (const each of [log, store])
      await assert.rejects(each.open(), (fault: Error & { code?: string }) => {
        assert.equal(fault.code, code, fault.stack)
        assert.match(fault.message, detail ?? /./)
        assert.ok(fault.message.includes(directory), 'it names the directory')
        return true
      })
    await close({ log, store })
  }
  const after = contents(directory)
  assert.deepEqual([...after.keys()], [...before.keys()])
  for (const [path, bytes] of before) assert.ok(after.get(path) === bytes, `${path} is as it was`)
}

suite('a directory of something else is refused and left alone', () => {
  test('with other files in it', async (t) => {
    const directory = place(t)
    writeFileSync(join(directory, 'thesis.txt'), 'the only copy')
    mkdirSync(join(directory, 'photos'))
    await refused(directory, 'DATA_FOREIGN', /photos, thesis\.txt/)
  })

  test('with a hidden file in it', async (t) => {
    const directory = place(t)
    writeFileSync(join(directory, '.env'), 'KEY=1')
    await refused(directory, 'DATA_FOREIGN', /\.env/)
  })

  for (const marker of ['{"name":"another"}', '[]', '"throughline"', '{"made":"other","format":1}'])
    test(`with a throughline.json that holds ${marker}`, async (t) => {
      const directory = place(t)
      writeFileSync(join(directory, MARKER), marker)
      await refused(directory, 'DATA_FOREIGN', /another program/)
    })

  test('with our database, but no marker', async (t) => {
    const directory = await filled(t)
    rmSync(join(directory, MARKER))
    await refused(directory, 'DATA_FOREIGN', /throughline\.db/)
  })

  for (const mode of ['delete', 'wal'])
    test(`with a database of something else, journal mode ${mode}`, async (t) => {
      const directory = await filled(t)
      rmSync(join(directory, DATABASE))
      const db = new DatabaseSync(join(directory, DATABASE))
      db.exec(`PRAGMA journal_mode = ${mode}; PRAGMA application_id = 7; CREATE TABLE log (a)`)
      db.close()
      await refused(directory, 'DATA_FOREIGN', /database of another program/)
    })
})

suite('data of a newer version is refused and left alone', () => {
  test('by its marker', async (t) => {
    const directory = await filled(t)
    writeFileSync(join(directory, MARKER), '{"made":"throughline","format":5,"is":"ready"}\n')
    await refused(directory, 'DATA_NEWER', /format 5, and this version reads up to 4/)
  })

  test('by its marker alone, with members that nobody knows yet', async (t) => {
    const directory = place(t)
    writeFileSync(join(directory, MARKER), '{"made":"throughline","format":9,"parts":[]}')
    await refused(directory, 'DATA_NEWER', /format 9/)
  })

  test('by its database', async (t) => {
    const directory = await filled(t)
    const db = new DatabaseSync(join(directory, DATABASE))
    db.exec('PRAGMA user_version = 5')
    db.close()
    await refused(directory, 'DATA_NEWER', /format 5, and this version reads up to 4/)
  })

  test('by its database, as a killed process left it', async (t) => {
    const directory = await killed(t)
    const copy = join(place(t), 'copy')
    const db = new DatabaseSync(join(directory, DATABASE))
    db.exec('PRAGMA user_version = 5')
    cpSync(directory, copy, { recursive: true })
    db.close()
    await refused(copy, 'DATA_NEWER', /format 5/)
  })
})

suite('damaged data is refused, and nothing is deleted or made anew', () => {
  test('the database is missing', async (t) => {
    const directory = await filled(t)
    rmSync(join(directory, DATABASE))
    await refused(directory, 'DATA_DAMAGED', /throughline\.db is missing/)
  })

  test('the database is missing, and its write-ahead log is there', async (t) => {
    const directory = await killed(t)
    rmSync(join(directory, DATABASE))
    await refused(directory, 'DATA_DAMAGED', /throughline\.db is missing/)
  })

  test('the database is empty', async (t) => {
    const directory = await filled(t)
    truncateSync(join(directory, DATABASE))
    await refused(directory, 'DATA_DAMAGED', /throughline\.db is empty/)
  })

  test('the database is another one, without tables', async (t) => {
    const directory = await filled(t)
    rmSync(join(directory, DATABASE))
    const db = new DatabaseSync(join(directory, DATABASE))
    db.exec('CREATE TABLE a (b); DROP TABLE a')
    db.close()
    await refused(directory, 'DATA_DAMAGED', /has no tables/)
  })

  for (const bytes of [1, 50, 100, PAGE_BYTES, 5 * PAGE_BYTES])
    test(`the database is cut off after ${bytes} bytes`, async (t) => {
      const directory = await filled(t)
      truncateSync(join(directory, DATABASE), bytes)
      await refused(directory, 'DATA_DAMAGED')
    })

  test('the last byte of the database is cut off', async (t) => {
    const directory = await filled(t)
    const path = join(directory, DATABASE)
    const { size } = statSync(path)
    truncateSync(path, size - 1)
    await refused(directory, 'DATA_DAMAGED', new RegExp(`has ${size - 1} bytes of ${size}`))
  })

  test('the header is overwritten', async (t) => {
    const directory = await filled(t)
    edit(join(directory, DATABASE), (bytes) => bytes.fill(0xa5, 0, 100))
    await refused(directory, 'DATA_DAMAGED', /no longer a SQLite database/)
  })

  test('the header is overwritten behind its first bytes', async (t) => {
    const directory = await filled(t)
    edit(join(directory, DATABASE), (bytes) => bytes.fill(0xa5, 16, 24))
    await refused(directory, 'DATA_DAMAGED')
  })

  test('the list of the tables is overwritten', async (t) => {
    const directory = await filled(t)
    edit(join(directory, DATABASE), (bytes) => bytes.fill(0xa5, 100, PAGE_BYTES))
    await refused(directory, 'DATA_DAMAGED')
  })

  test('everything behind the first page is overwritten', async (t) => {
    const directory = await filled(t)
    edit(join(directory, DATABASE), (bytes) => bytes.fill(0xa5, PAGE_BYTES))
    await refused(directory, 'DATA_DAMAGED')
  })

  for (const table of ['head', 'topic', 'progress', 'lease', 'tbl'])
    test(`the page of the table ${table} is overwritten`, async (t) => {
      const directory = await filled(t)
      const path = join(directory, DATABASE)
      const page = rootOf(path, table)
      edit(path, (bytes) => bytes.fill(0xa5, (page - 1) * PAGE_BYTES, page * PAGE_BYTES))
      await refused(directory, 'DATA_DAMAGED')
    })

  test('the database is cut off, and a write-ahead log lacks what is missing', async (t) => {
    const directory = await killed(t)
    truncateSync(join(directory, DATABASE), PAGE_BYTES)
    await refused(directory, 'DATA_DAMAGED')
  })

  for (const [what, text] of [
    ['empty', ''],
    ['cut off', '{"made":"throughl'],
    ['garbage', '\u0000\u0001\u0002'],
    ['null', 'null'],
  ] as const)
    test(`the marker is ${what}`, async (t) => {
      const directory = await filled(t)
      writeFileSync(join(directory, MARKER), text)
      await refused(directory, 'DATA_DAMAGED', /throughline\.json cannot be read/)
    })
})

suite('data that only looks damaged', () => {
  test('a write-ahead log that a killed process left is read', async (t) => {
    const backend = embedded({ directory: await killed(t) })
    t.after(() => close(backend))
    await backend.log.open()
    assert.equal((await readAll(backend.log)).length, 1_000)
  })

  test('a database shorter than its header says, as in a killed checkpoint', async (t) => {
    const [directory, source] = [place(t), place(t)]
    const backend = embedded({ directory: join(source, 'data') })
    await fill(backend)
    cpSync(join(source, 'data'), directory, { recursive: true })
    await close(backend)
    const path = join(directory, DATABASE)
    const [, wal] = [statSync(path), readFileSync(join(directory, WAL))]
    assert.ok(wal.length > 0)
    // Restore the first page first; its newest version is the last one in the log.
    const first = newestPage(wal, 1)
    const whole = readFileSync(path)
    writeFileSync(path, Buffer.concat([first, whole.subarray(first.length)]))
    assert.ok(statSync(path).size < first.readUInt32BE(28) * PAGE_BYTES)
    const next = embedded({ directory })
    t.after(() => close(next))
    await next.log.open()
    assert.equal((await readAll(next.log)).length, 500)
  })

  test('an unfinished marker beside a finished one is ignored', async (t) => {
    const directory = await filled(t)
    writeFileSync(join(directory, `${MARKER}.new`), '{"made":"thr')
    const backend = embedded({ directory })
    t.after(() => close(backend))
    await backend.log.open()
    assert.equal((await readAll(backend.log)).length, 500)
  })
})

test('a start that cannot write the owner file unlocks the directory', async (t) => {
  const directory = await filled(t)
  mkdirSync(join(directory, 'owner.json'))
  const backend = embedded({ directory })
  t.after(() => close(backend))
  await assert.rejects(backend.log.open())
  rmSync(join(directory, 'owner.json'), { recursive: true })
  await backend.log.open()
  assert.equal((await readAll(backend.log)).length, 500)
  assert.ok(existsSync(join(directory, 'owner.json')))
})

function rootOf(path: string, table: string): number {
  const db = new DatabaseSync(path)
  const found = db.prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?').get(table)
  db.close()
  return Number(found?.['rootpage'])
}

/** The newest version of a page in a write-ahead log: 32 bytes, then frames of 24 bytes and a page. */
function newestPage(wal: Buffer, page: number): Buffer {
  let found: Buffer | undefined
  for (let at = 32; at + 24 + PAGE_BYTES <= wal.length; at += 24 + PAGE_BYTES)
    if (wal.readUInt32BE(at) === page) found = wal.subarray(at + 24, at + 24 + PAGE_BYTES)
  assert.ok(found)
  return found
}
