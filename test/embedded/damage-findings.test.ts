import assert from 'node:assert/strict'
import { copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { TestContext } from 'node:test'
import { suite, test } from 'node:test'
import { NO_COUNTS } from '../../src/ports/progress.ts'
import { systemClock } from '../../src/base/time/clock.ts'
import { testEvent, idsOf, testRow, testUnit } from '../../src/ports/conformance/fixtures.ts'
import type { EventLog, LogEvent } from '../../src/ports/event-log.ts'
import type { Backend } from '../../src/ports/event-store.ts'
import { PAGE_BYTES } from '../../src/backends/embedded/sql/schema.ts'
import { repair } from '../../src/backends/embedded/repair/repair.ts'
import { close, opened, place } from './support/data-directory.ts'

const [X, Y, TABLE] = ['x', 'y', 'shop.stock']
const MAX = { records: 1_000, bytes: 100_000_000 }

const declare = (log: EventLog, ...names: string[]) =>
  log.declare(names.map((name) => ({ name, partitions: 1, strategy: 'murmur2' as const })))
const event = (id: string, fields: Partial<LogEvent> = {}): LogEvent =>
  testEvent(id, { topic: X, partition: 0, key: 'a', ...fields })
const many = (count: number): LogEvent[] =>
  Array.from({ length: count }, (_, at) => event(`e${at}`, { key: `k${at % 3}` }))
const answer = async (log: EventLog, id: string, topic = X): Promise<string> => {
  const [first] = await log.append([event(id, { topic })])
  return first?.status === 'refused' ? first.code : (first?.status ?? '')
}

/** A closed directory with one topic of one partition. */
async function filled(t: TestContext, events: readonly LogEvent[]): Promise<string> {
  const directory = place(t)
  const backend = await opened(t, directory)
  await declare(backend.log, X)
  await backend.log.append(events)
  await close(backend)
  return directory
}

function tamper(directory: string, sql: string): void {
  const db = new DatabaseSync(join(directory, 'throughline.db'))
  db.exec(`DROP TRIGGER log_is_immutable; DROP TRIGGER log_stays; ${sql}`)
  db.close()
}

/** The directory of a killed owner whose write-ahead log lost everything after `before`. */
async function cutOff(
  t: TestContext,
  before: (backend: Backend) => Promise<unknown>,
  after: (backend: Backend) => Promise<unknown>,
): Promise<string> {
  const [directory, copy] = [place(t), place(t)]
  const backend = await opened(t, directory)
  await before(backend)
  const wal = join(directory, 'throughline.db-wal')
  const { size } = statSync(wal)
  await after(backend)
  for (const name of ['throughline.db', 'high-water', 'throughline.json'])
    copyFileSync(join(directory, name), join(copy, name))
  writeFileSync(join(copy, 'throughline.db-wal'), readFileSync(wal).subarray(0, size))
  return copy
}

/** Overwrites the first page of a table or index with that of another one. */
function swapRoots(directory: string, one: string, other: string): void {
  const path = join(directory, 'throughline.db')
  const db = new DatabaseSync(path)
  const at = (name: string): number => {
    const row = db.prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?').get(name)
    return (Number(row?.['rootpage']) - 1) * PAGE_BYTES
  }
  const [a, b] = [at(one), at(other)]
  db.close()
  const bytes = readFileSync(path)
  const page = Buffer.from(bytes.subarray(a, a + PAGE_BYTES))
  bytes.copyWithin(a, b, b + PAGE_BYTES)
  page.copy(bytes, b)
  writeFileSync(path, bytes)
}

suite('an end that was cut off', () => {
  const cut = (t: TestContext): Promise<string> =>
    cutOff(
      t,
      async ({ log }) => {
        await declare(log, X)
        await log.append([event('e1')])
      },
      ({ log }) => log.append([event('e2'), event('e3')]),
    )

  test('survives a failed commit: acknowledged offsets are not reused', async (t) => {
    const directory = await cut(t)
    const backend = await opened(t, directory)
    const { exec } = DatabaseSync.prototype
    const failing = t.mock.method(
      DatabaseSync.prototype,
      'exec',
      function (this: DatabaseSync, sql: string) {
        if (sql === 'COMMIT')
          throw Object.assign(new Error('database or disk is full'), { errcode: 13 })
        exec.call(this, sql)
      },
    ).mock
    await assert.rejects(backend.store.beat({ id: 'm' }, ['r'], 1_000), { code: 'LOG_FULL' })
    failing.restore()
    assert.equal(await answer(backend.log, 'n2'), 'LOG_DAMAGED')
    await backend.store.beat({ id: 'm' }, ['r'], 1_000)
    await close(backend)
    const again = await opened(t, directory)
    assert.match((await again.log.health()).detail, /offsets 1 to 2/)
    assert.equal(await answer(again.log, 'n3'), 'LOG_DAMAGED')
  })

  test('stays in the high-water mark after a trim and further commits', async (t) => {
    const directory = await cut(t)
    const backend = await opened(t, directory)
    await backend.log.trim(X, 0, 1)
    await close(backend)
    const db = new DatabaseSync(join(directory, 'throughline.db'))
    db.exec('DELETE FROM damage')
    db.close()
    const again = await opened(t, directory)
    assert.match((await again.log.health()).detail, /offsets 1 to 2/)
  })

  const lostTopic = (t: TestContext): Promise<string> =>
    cutOff(
      t,
      async ({ log }) => {
        await declare(log, Y)
        await log.append([event('f1', { topic: Y })])
      },
      async ({ log }) => {
        await declare(log, X)
        await log.append([event('e1'), event('e2')])
      },
    )

  test('with a whole topic in it: no topic and no table can be declared', async (t) => {
    const { log, store } = await opened(t, await lostTopic(t))
    await assert.rejects(declare(log, X), { code: 'DATA_DAMAGED', message: /declared/ })
    await assert.rejects(store.declare([{ name: TABLE, indexes: [] }]), { code: 'DATA_DAMAGED' })
    assert.equal(await answer(log, 'f2', Y), 'stored', 'what is there goes on')
  })

  test('with a whole topic in it, once accepted: a new topic does not inherit its mark', async (t) => {
    const directory = await lostTopic(t)
    await repair(directory, systemClock(), { accept: ['all'] })
    const backend = await opened(t, directory)
    await declare(backend.log, 'another')
    await close(backend)
    const again = await opened(t, directory)
    assert.equal((await again.log.health()).status, 'well')
    assert.equal(await answer(again.log, 'n', 'another'), 'stored')
  })

  test('behind its mark: a replaced log is detected by its chain', async (t) => {
    const directory = await filled(t, many(3))
    const mark = readFileSync(join(directory, 'high-water'))
    const backend = await opened(t, directory)
    await backend.log.append([event('later')])
    await close(backend)
    writeFileSync(join(directory, 'high-water'), mark)
    await close(await opened(t, directory))
    // The mark is still that of the third record, but the log up to there is another one.
    writeFileSync(join(directory, 'high-water'), mark)
    tamper(directory, 'UPDATE log SET chain = chain + 1 WHERE off = 2')
    await assert.rejects(opened(t, directory), { code: 'DATA_DAMAGED', message: /x\/0/ })
  })
})

suite('maintenance of a damaged partition', () => {
  test('compaction ignores a damaged key: the intact record of it stays', async (t) => {
    const directory = await filled(t, [event('e1', { key: 'c' }), event('e2'), event('e3')])
    tamper(directory, "UPDATE log SET key = 'c' WHERE off = 2")
    const { log } = await opened(t, directory)
    await assert.rejects(log.compact(X, 0, 3, 0), { code: 'LOG_DAMAGED' })
    const [slice] = await log.read([{ topic: X, partition: 0, next: 0 }], MAX, { ms: 0 })
    assert.deepEqual(idsOf(slice?.records ?? []), ['e1', 'e2'])
    assert.deepEqual(slice?.damage, { code: 'CONTENT_CHANGED', from: 2, to: 3 })
  })

  test('compaction does not hash a damaged payload, which would hide the damage', async (t) => {
    const directory = await filled(t, [event('e1'), event('e2')])
    tamper(directory, "UPDATE log SET data = '{}' WHERE off = 0")
    const { log } = await opened(t, directory)
    await assert.rejects(log.compact(X, 0, 2, 0), { code: 'LOG_DAMAGED' })
    assert.equal((await log.inspect?.(X, 0, 0, 10))?.damaged.length, 1)
  })

  test('a compacted record has a checksum, too', async (t) => {
    const directory = await filled(t, [event('e1'), event('e2')])
    const backend = await opened(t, directory)
    assert.equal(await backend.log.compact(X, 0, 2, 0), 1)
    await close(backend)
    tamper(directory, "UPDATE log SET key = 'other' WHERE off = 0")
    const { log } = await opened(t, directory)
    assert.deepEqual(
      (await log.inspect?.(X, 0, 0, 10))?.damaged.map(({ from }) => from),
      [0],
    )
  })

  /** Zeroes the page of a record. */
  async function unreadable(t: TestContext): Promise<string> {
    const directory = await filled(t, many(500))
    const backend = await opened(t, directory)
    await declare(backend.log, Y)
    await close(backend)
    const path = join(directory, 'throughline.db')
    const bytes = readFileSync(path)
    const start = Math.floor(bytes.indexOf('{"order":"e200"}') / PAGE_BYTES) * PAGE_BYTES
    writeFileSync(path, bytes.fill(0, start, start + PAGE_BYTES))
    return directory
  }

  test('a trim over an unreadable page stops only its partition', async (t) => {
    const { log } = await opened(t, await unreadable(t))
    await assert.rejects(log.trim(X, 0, 400), { code: 'LOG_DAMAGED' })
    assert.equal(await answer(log, 'more', Y), 'stored')
    assert.equal(await answer(log, 'more'), 'LOG_DAMAGED')
  })

  test('a compaction over an unreadable page fails with a code', async (t) => {
    const { log } = await opened(t, await unreadable(t))
    await assert.rejects(log.compact(X, 0, 400, 0), { code: 'LOG_DAMAGED' })
    assert.equal(await answer(log, 'more', Y), 'stored')
  })

  test('a trim behind the damage removes it, also after a restart', async (t) => {
    const directory = await filled(t, many(20))
    tamper(directory, "UPDATE log SET data = '{}' WHERE off = 3")
    const backend = await opened(t, directory)
    await backend.log.read([{ topic: X, partition: 0, next: 0 }], MAX, { ms: 0 })
    assert.equal(await answer(backend.log, 'more'), 'LOG_DAMAGED')
    // A commit writes the damage to the database.
    await backend.store.beat({ id: 'm' }, ['r'], 1_000)
    await backend.log.trim(X, 0, 10)
    assert.equal(await answer(backend.log, 'more'), 'stored')
    await close(backend)
    const { log } = await opened(t, directory)
    assert.equal((await log.health()).status, 'well')
    assert.equal(await answer(log, 'again'), 'stored')
  })
})

suite('a stream of an entity', () => {
  async function withStream(t: TestContext): Promise<string> {
    const directory = await filled(t, [])
    const { log, store } = await opened(t, directory)
    await store.declare([{ name: TABLE, indexes: [] }])
    const unit = testUnit({
      appends: many(3),
      streams: [1, 2, 3].map((version) => {
        return { table: TABLE, key: 'k', version, append: version - 1 }
      }),
    })
    assert.equal((await store.commit(unit)).status, 'done')
    await log.close()
    await store.close()
    return directory
  }
  const row = { table: TABLE, key: 'k' }

  test('with a missing record is refused, and not just shorter', async (t) => {
    const directory = await withStream(t)
    tamper(directory, 'DELETE FROM log WHERE off = 1')
    const { store } = await opened(t, directory)
    await assert.rejects(store.stream(row, 1, 10), { code: 'DATA_DAMAGED', message: /version 2/ })
  })

  test('returns as many records as requested, although some were compacted', async (t) => {
    const { log, store } = await opened(t, await withStream(t))
    await log.append([event('later', { key: 'k0' })])
    assert.equal(await log.compact(X, 0, 4, 0), 1)
    assert.deepEqual(idsOf(await store.stream(row, 1, 1)), ['e1'])
  })

  for (const table of ['stream', 'archive'])
    test(`with an empty page in the place of ${table}: refused by name`, async (t) => {
      const directory = await withStream(t)
      const db = new DatabaseSync(join(directory, 'throughline.db'))
      const sql = db.prepare('SELECT sql FROM sqlite_schema WHERE name = ?').get(table)?.['sql']
      db.exec(String(sql).replace(table, 'bare'))
      db.close()
      swapRoots(directory, table, 'bare')
      await assert.rejects(opened(t, directory), { code: 'DATA_DAMAGED', message: RegExp(table) })
    })

  test('a damage table with foreign rows is refused by name', async (t) => {
    const directory = await withStream(t)
    tamper(directory, "INSERT INTO damage VALUES (1,0,1,2,'x',0,7)")
    await assert.rejects(opened(t, directory), { code: 'DATA_DAMAGED', message: /damage/ })
  })
})

suite('rows of a table', () => {
  test('with an empty key are like all others, and can be deleted', async (t) => {
    const directory = place(t)
    const first = await opened(t, directory)
    await first.store.declare([{ name: TABLE, indexes: [] }])
    const keys = async ({ store }: Backend) =>
      (await store.scan({ table: TABLE, limit: 10 })).map(({ key }) => key)
    await first.store.commit(testUnit({ rows: [testRow(TABLE, '')] }))
    assert.deepEqual(await keys(first), [''])
    await close(first)
    const second = await opened(t, directory)
    assert.deepEqual(await keys(second), [''])
    const gone = testRow(TABLE, '', { body: null, expected: 1 })
    assert.equal((await second.store.commit(testUnit({ rows: [gone] }))).status, 'done')
    await close(second)
    assert.deepEqual(await keys(await opened(t, directory)), [])
  })

  test('swapped with those of another table are refused by name', async (t) => {
    const directory = place(t)
    const backend = await opened(t, directory)
    await backend.store.declare([
      { name: TABLE, indexes: [] },
      { name: 'shop.empty', indexes: [] },
    ])
    await backend.store.commit(testUnit({ rows: [testRow(TABLE, 'a')] }))
    await close(backend)
    swapRoots(directory, 't1', 't2')
    await assert.rejects(opened(t, directory), {
      code: 'DATA_DAMAGED',
      message: /its sentinel row/,
    })
  })
})

suite('what a page that was swapped hides', () => {
  test('a topic missing in the catalog is not declared again', async (t) => {
    const directory = await filled(t, many(3))
    tamper(directory, 'DELETE FROM topic')
    await assert.rejects(opened(t, directory), { code: 'DATA_DAMAGED', message: /catalog/ })
  })

  test('an empty index of ids is refused, so that duplicates are not stored', async (t) => {
    const directory = await filled(t, many(3))
    swapRoots(directory, 'log_foreign_id', 'log_id')
    await assert.rejects(opened(t, directory), { code: 'DATA_DAMAGED', message: /index of ids/ })
  })

  test('missing progress rows are detected by their number', async (t) => {
    const directory = await filled(t, [])
    const backend = await opened(t, directory)
    const at = { consumer: 's/r', topic: X, partition: 0, from: 0, next: 1 }
    await backend.store.commit(testUnit({ progress: [{ ...at, ...NO_COUNTS }] }))
    await close(backend)
    tamper(directory, 'DELETE FROM progress')
    await assert.rejects(opened(t, directory), { code: 'DATA_DAMAGED', message: /progress/ })
  })

  test('an id, payload or hash of another type is damage of that record', async (t) => {
    for (const set of ["id = x'00'", 'id = 7', "gone = 'x', data = NULL"]) {
      const directory = await filled(t, many(3))
      tamper(directory, `UPDATE log SET ${set} WHERE off = 1`)
      const { log } = await opened(t, directory)
      const [slice] = await log.read([{ topic: X, partition: 0, next: 0 }], MAX, { ms: 0 })
      assert.deepEqual(slice?.damage, { code: 'CONTENT_CHANGED', from: 1, to: 2 }, set)
    }
  })

  test('a misplaced record at the position of a new one stops all writes', async (t) => {
    const directory = await filled(t, many(3))
    const { log } = await opened(t, directory)
    tamper(directory, 'UPDATE log SET position = 4 WHERE off = 1')
    assert.equal(await answer(log, 'more'), 'LOG_DAMAGED')
    assert.match((await log.health()).detail, /all writes have stopped/)
  })

  test('a rewind to a time stops at a damaged record', async (t) => {
    const directory = await filled(t, many(3))
    tamper(directory, 'UPDATE log SET stored = 1 WHERE off = 1')
    const { log } = await opened(t, directory)
    await assert.rejects(log.offsetAt(X, 0, 1_000), { code: 'LOG_DAMAGED' })
  })
})
