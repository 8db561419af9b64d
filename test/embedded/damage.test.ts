import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { TestContext } from 'node:test'
import { suite, test } from 'node:test'
import {
  ORDERS,
  PARTITIONS,
  NO_LIMIT,
  testEvent,
  idsOf,
  keyInPartition,
} from '../../src/ports/conformance/fixtures.ts'
import {
  readAll,
  testRow,
  startPosition,
  testTopic,
  testUnit,
} from '../../src/ports/conformance/fixtures.ts'
import { NO_COUNTS } from '../../src/ports/progress.ts'
import { damageText } from '../../src/ports/damage.ts'
import type { Slice } from '../../src/ports/event-log.ts'
import type { Backend } from '../../src/ports/event-store.ts'
import { embedded } from '../../src/backends/embedded/index.ts'
import { close } from './support/data-directory.ts'

const TABLE = 'shop.orders'
/** Records of each partition. */
const COUNT = 100

async function open(t: TestContext, directory: string): Promise<Backend> {
  const backend = embedded({ directory })
  t.after(() => close(backend))
  await backend.log.open()
  await backend.store.open()
  await backend.log.declare([testTopic(ORDERS)])
  await backend.store.declare([{ name: TABLE, indexes: ['colour'] }])
  return backend
}

/** A closed directory with records in every partition and rows in a table. */
async function filled(t: TestContext): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'throughline-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const backend = await open(t, directory)
  for (let partition = 0; partition < PARTITIONS; partition += 1)
    await backend.log.append(
      Array.from({ length: COUNT }, (_, at) =>
        testEvent(`e-${partition}-${at}`, { partition, key: keyInPartition(partition) }),
      ),
    )
  const rows = ['a', 'b', 'c'].map((key) => testRow(TABLE, key, { index: { colour: 'red' } }))
  assert.equal((await backend.store.commit(testUnit({ rows }))).status, 'done')
  await close(backend)
  return directory
}

/** Changes the database directly, bypassing the backend. */
function tamper(directory: string, sql: string): void {
  const db = new DatabaseSync(join(directory, 'throughline.db'))
  db.exec('DROP TRIGGER log_is_immutable; DROP TRIGGER log_stays')
  db.exec(sql)
  db.close()
}

async function readPartition({ log }: Backend, partition: number): Promise<Slice> {
  const [slice] = await log.read([startPosition(partition)], NO_LIMIT, { ms: 0 })
  return slice as Slice
}

/** Partition 1 stops at an offset with this message; the others are intact and accept appends. */
async function standsAt(backend: Backend, offset: number, words: RegExp): Promise<void> {
  const { log } = backend
  const slice = await readPartition(backend, 1)
  assert.equal(slice.records.length, offset)
  assert.equal(slice.next, offset)
  assert.ok(slice.damage)
  assert.match(damageText(slice.damage), words)
  assert.equal(slice.damage.from, offset)
  const [damaged, whole] = await log.append([
    testEvent('more-1', { partition: 1, key: keyInPartition(1) }),
    testEvent('more-2', { partition: 2, key: keyInPartition(2) }),
  ])
  assert.equal(damaged?.status === 'refused' && damaged.code, 'LOG_DAMAGED')
  assert.equal(whole?.status, 'stored')
  assert.equal((await readPartition(backend, 2)).records.length, COUNT + 1)
  const health = await log.health()
  assert.equal(health.status, 'failing')
  assert.match(health.detail, new RegExp(`${ORDERS}/1: .*${words.source}`))
}

suite('a record that is not what was written', () => {
  const changes: Readonly<Record<string, string>> = {
    'its data': `data = replace(data, 'e-1-40', 'e-1-41')`,
    'its key': `key = 'other'`,
    'its type': `type = 'orders.Other'`,
    'its id': `id = 'other'`,
    'its time': 'at = at + 1',
    'when it was stored': 'stored = stored + 1',
    'its head': `head = head || ' '`,
  }
  for (const [what, set] of Object.entries(changes))
    test(`${what}: its partition stands there, and everything else goes on`, async (t) => {
      const directory = await filled(t)
      tamper(directory, `UPDATE log SET ${set} WHERE part = 1 AND off = 40`)
      const backend = await open(t, directory)
      await standsAt(backend, 40, /offset 40 is not what was written/)
      await close(backend)
      const again = await open(t, directory)
      const [answer] = await again.log.append([
        testEvent('x', { partition: 1, key: keyInPartition(1) }),
      ])
      assert.equal(answer?.status, 'refused', 'what was found is known after a restart')
    })

  test('two swapped records stop the partition at the first of them', async (t) => {
    const directory = await filled(t)
    const swap = `UPDATE log SET off = CASE off WHEN 40 THEN 41 ELSE 40 END`
    tamper(
      directory,
      `DROP INDEX log_place; ${swap} WHERE part = 1 AND off IN (40, 41);
       CREATE UNIQUE INDEX log_place ON log (topic, part, off)`,
    )
    await standsAt(await open(t, directory), 40, /offset 40 is not what was written/)
  })

  test('missing records are reported as a range', async (t) => {
    const directory = await filled(t)
    tamper(directory, 'DELETE FROM log WHERE part = 1 AND off BETWEEN 40 AND 49')
    await standsAt(await open(t, directory), 40, /offsets 40 to 49 is missing/)
  })

  test('an inspection finds each of them', async (t) => {
    const directory = await filled(t)
    tamper(
      directory,
      `UPDATE log SET key = 'other' WHERE part = 0 AND off IN (3, 97);
       UPDATE log SET chain = 1 WHERE part = 2 AND off = 50`,
    )
    const { log, store } = await open(t, directory)
    const damagedRanges = async (partition: number) =>
      (await log.inspect?.(ORDERS, partition, 0, 1_000))?.damaged.map(({ from, to }) => [from, to])
    assert.deepEqual(await damagedRanges(0), [
      [3, 4],
      [97, 98],
    ])
    assert.deepEqual(await damagedRanges(1), [])
    assert.deepEqual(await damagedRanges(2), [
      [50, 51],
      [51, 52],
    ])
    const rows = await store.inspect?.(TABLE, undefined, 10)
    assert.deepEqual(rows, { rows: 3, damaged: [] })
  })
})

suite('a log that was cut off', () => {
  /** The files as a killed owner leaves them, with the write-ahead log. */
  async function killed(t: TestContext): Promise<string> {
    const directory = await filled(t)
    const copy = mkdtempSync(join(tmpdir(), 'throughline-'))
    t.after(() => rmSync(copy, { recursive: true }))
    const backend = await open(t, directory)
    await backend.log.append(
      Array.from({ length: 20 }, (_, at) =>
        testEvent(`w-${at}`, { partition: 1, key: keyInPartition(1) }),
      ),
    )
    for (const name of ['throughline.db', 'throughline.db-wal', 'high-water', 'throughline.json'])
      copyFileSync(join(directory, name), join(copy, name))
    return copy
  }

  test('opens completely where nothing is missing', async (t) => {
    const backend = await open(t, await killed(t))
    assert.equal((await readPartition(backend, 1)).records.length, COUNT + 20)
    assert.equal((await backend.log.health()).status, 'well')
  })

  test('stops at its end: the loss is reported, and its offsets are not reused', async (t) => {
    const directory = await killed(t)
    const wal = join(directory, 'throughline.db-wal')
    const bytes = readFileSync(wal)
    // The last frame belongs to the last commit.
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 4_000) ^ 1, bytes.length - 4_000)
    writeFileSync(wal, bytes)
    const backend = await open(t, directory)
    await standsAt(backend, COUNT, /offsets 100 to 119 was acknowledged and is missing/)
  })

  test('without its write-ahead log, stops as well', async (t) => {
    const directory = await killed(t)
    rmSync(join(directory, 'throughline.db-wal'))
    const backend = await open(t, directory)
    await standsAt(backend, COUNT, /offsets 100 to 119 was acknowledged and is missing/)
  })

  test('without its high-water mark is refused, and so is the mark of another directory', async (t) => {
    const directory = await killed(t)
    copyFileSync(join(await filled(t), 'high-water'), join(directory, 'high-water'))
    await assert.rejects(open(t, directory), { code: 'DATA_DAMAGED', message: /epoch/ })
    rmSync(join(directory, 'high-water'))
    await assert.rejects(open(t, directory), { code: 'DATA_DAMAGED', message: /is missing/ })
  })
})

suite('state that is not what was written', () => {
  test('a damaged row is refused by name, and others are read', async (t) => {
    const directory = await filled(t)
    tamper(directory, `UPDATE t1 SET body = replace(body, '"', ' ') WHERE key = 'b'`)
    const { store } = await open(t, directory)
    const get = (key: string) => store.get([{ table: TABLE, key }])
    await assert.rejects(get('b'), { code: 'DATA_DAMAGED', message: /row b in the table shop/ })
    assert.equal((await get('a'))[0]?.key, 'a')
    assert.deepEqual(
      (await store.inspect?.(TABLE, undefined, 10))?.damaged.map(({ key }) => key),
      ['b'],
    )
  })

  test('rows with several indexes are intact after a restart, whatever the names of the indexes', async (t) => {
    const directory = await filled(t)
    const both = async (): Promise<Backend> => {
      const backend = await open(t, directory)
      await backend.store.declare([{ name: 'shop.two', indexes: ['z', 'a'] }])
      return backend
    }
    const first = await both()
    const row = testRow('shop.two', 'x', { index: { z: 1, a: 'one' } })
    assert.equal((await first.store.commit(testUnit({ rows: [row] }))).status, 'done')
    await close(first)
    const { store } = await both()
    assert.equal((await store.get([{ table: 'shop.two', key: 'x' }]))[0]?.key, 'x')
  })

  test('a changed index value is damage, too', async (t) => {
    const directory = await filled(t)
    tamper(directory, `UPDATE t1 SET i1 = 'blue' WHERE key = 'b'`)
    const { store } = await open(t, directory)
    await assert.rejects(store.get([{ table: TABLE, key: 'b' }]), { code: 'DATA_DAMAGED' })
  })

  for (const [table, set] of Object.entries({ head: 'next = next - 1', progress: 'next = 7' }))
    test(`the table ${table} is refused at the start`, async (t) => {
      const directory = await filled(t)
      const backend = await open(t, directory)
      const place = { consumer: 's/r', topic: ORDERS, partition: 0, from: 0, next: 1 }
      const counts = { ...NO_COUNTS, accepted: 1, completed: 1 }
      await backend.store.commit(testUnit({ progress: [{ ...place, ...counts }] }))
      await close(backend)
      tamper(directory, `UPDATE ${table} SET ${set}`)
      await assert.rejects(open(t, directory), { code: 'DATA_DAMAGED', message: RegExp(table) })
    })
})

suite('the log is immutable', () => {
  test('by triggers: only payloads can be removed, and only trimming deletes records', async (t) => {
    const directory = await filled(t)
    const db = new DatabaseSync(join(directory, 'throughline.db'))
    t.after(() => db.close())
    for (const set of [
      "data = '{}'",
      "id = 'x'",
      "key = 'x'",
      "type = 'x'",
      'sum = 0',
      'off = 900',
    ])
      assert.throws(() => db.exec(`UPDATE log SET ${set} WHERE position = 5`), /immutable/)
    assert.throws(() => db.exec('DELETE FROM log WHERE position = 5'), /only trimming/)
    db.exec("UPDATE log SET data = NULL, head = '', gone = 'hash' WHERE position = 5")
    assert.throws(() => db.exec("UPDATE log SET gone = 'x' WHERE position = 5"), /immutable/)
  })

  test('an id is still recognized after its payload was removed', async (t) => {
    const backend = await open(t, await filled(t))
    const { log } = backend
    assert.equal(await log.compact(ORDERS, 0, COUNT, 0), COUNT - 1)
    const again = (data: string) =>
      log.append([testEvent('e-0-7', { partition: 0, key: keyInPartition(0), data })])
    assert.deepEqual(await again('{"order":"e-0-7"}'), [
      { status: 'stored', isDuplicate: true, place: { topic: ORDERS, partition: 0, offset: 7 } },
    ])
    const [other] = await again('{"order":"other"}')
    assert.equal(other?.status === 'refused' && other.code, 'ID_CONFLICT')
    assert.deepEqual(
      idsOf(await readAll(log)).filter((id) => id.startsWith('e-0')),
      ['e-0-99'],
    )
    assert.deepEqual((await log.inspect?.(ORDERS, 0, 0, 1_000))?.damaged, [])
  })
})
