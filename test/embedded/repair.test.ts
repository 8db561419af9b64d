import assert from 'node:assert/strict'
import { closeSync, copyFileSync, openSync, rmSync } from 'node:fs'
import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { TestContext } from 'node:test'
import { suite, test } from 'node:test'
import { systemClock } from '../../src/base/time/clock.ts'
import {
  ORDERS,
  NO_LIMIT,
  testEvent,
  keyInPartition,
  startPosition,
} from '../../src/ports/conformance/fixtures.ts'
import { testRow, testTopic, testUnit } from '../../src/ports/conformance/fixtures.ts'
import type { EventLog, Slice } from '../../src/ports/event-log.ts'
import type { Backend } from '../../src/ports/event-store.ts'
import { embedded } from '../../src/backends/embedded/index.ts'
import { PAGE_BYTES } from '../../src/backends/embedded/sql/schema.ts'
import { repair } from '../../src/backends/embedded/repair/repair.ts'
import { salvage } from '../../src/backends/embedded/repair/salvage.ts'
import { destroyLeaf, place } from './support/data-directory.ts'

const COUNT = 500

async function open(t: TestContext, directory: string): Promise<EventLog> {
  const backend: Backend = embedded({ directory })
  t.after(() => backend.log.close())
  await backend.log.open()
  await backend.log.declare([testTopic(ORDERS)])
  return backend.log
}

async function filled(t: TestContext): Promise<string> {
  const directory = place(t)
  const log = await open(t, directory)
  for (const partition of [0, 1])
    await log.append(
      Array.from({ length: COUNT }, (_, at) =>
        testEvent(`e-${partition}-${at}`, { partition, key: keyInPartition(partition) }),
      ),
    )
  await log.close()
  return directory
}

function tamper(directory: string, sql: string): void {
  const db = new DatabaseSync(join(directory, 'throughline.db'))
  db.exec(`DROP TRIGGER log_is_immutable; DROP TRIGGER log_stays; ${sql}`)
  db.close()
}

async function slice(log: EventLog, partition: number, next = 0): Promise<Slice> {
  const [found] = await log.read([{ ...startPosition(partition), next }], NO_LIMIT, { ms: 0 })
  return found as Slice
}

const append = async (log: EventLog, id: string, partition: number): Promise<string> => {
  const [answer] = await log.append([testEvent(id, { partition, key: keyInPartition(partition) })])
  return answer?.status === 'stored' ? String(answer.place?.offset) : (answer?.status ?? '')
}

suite('repair', () => {
  test('reports all damage, changes nothing by itself, and lets readers skip accepted damage', async (t) => {
    const directory = await filled(t)
    tamper(directory, "UPDATE log SET key = 'x' WHERE part = 1 AND off IN (100, 300)")
    const result = await repair(directory, systemClock())
    assert.deepEqual(result.pages, [])
    assert.deepEqual(
      result.losses,
      [100, 300].map((from) => ({
        topic: ORDERS,
        partition: 1,
        from,
        to: from + 1,
        code: 'CONTENT_CHANGED',
        isAccepted: false,
      })),
    )
    const before = await open(t, directory)
    assert.equal(await append(before, 'more', 1), 'refused')
    await before.close()
    await repair(directory, systemClock(), { accept: [{ topic: ORDERS, partition: 1 }] })
    const log = await open(t, directory)
    assert.equal((await log.health()).status, 'well')
    assert.equal(await append(log, 'more', 1), String(COUNT))
    const first = await slice(log, 1)
    assert.equal(first.next, 100)
    assert.equal(first.damage, undefined)
    const second = await slice(log, 1, first.next)
    assert.deepEqual(second.lost, { from: 100, to: 101 })
    assert.equal(second.next, 300)
    const third = await slice(log, 1, second.next)
    assert.deepEqual(third.lost, { from: 300, to: 301 })
    assert.equal(third.records.length, COUNT - 301 + 1)
    assert.deepEqual((await log.inspect?.(ORDERS, 1, 0, 1_000))?.damaged, [])
  })

  test('reads damage that earlier versions stored as a sentence', async (t) => {
    const directory = await filled(t)
    tamper(directory, "UPDATE log SET key = 'x' WHERE part = 1 AND off = 100")
    const { losses } = await repair(directory, systemClock())
    const db = new DatabaseSync(join(directory, 'throughline.db'))
    db.exec("UPDATE damage SET what = 'is not what was written'")
    db.close()
    assert.deepEqual((await repair(directory, systemClock())).losses, losses)
  })

  test('never reuses the offsets of a lost end', async (t) => {
    const directory = await filled(t)
    const copy = place(t)
    const writer = await open(t, directory)
    await append(writer, 'lost-1', 1)
    await append(writer, 'lost-2', 1)
    for (const name of ['throughline.db', 'high-water', 'throughline.json'])
      copyFileSync(join(directory, name), join(copy, name))
    const { losses } = await repair(copy, systemClock(), { accept: ['all'] })
    assert.ok(losses.some(({ from, to }) => from === COUNT && to === COUNT + 2))
    assert.ok(losses.every(({ isAccepted }) => isAccepted))
    const log = await open(t, copy)
    assert.equal((await log.health()).status, 'well')
    assert.equal(await append(log, 'next', 1), String(COUNT + 2))
    assert.equal((await slice(log, 1)).next, COUNT)
    const rest = await slice(log, 1, COUNT)
    assert.deepEqual(rest.lost, { from: COUNT, to: COUNT + 2 })
    assert.deepEqual(
      rest.records.map(({ id }) => id),
      ['next'],
    )
  })

  test('rebuilds the high-water mark only on request', async (t) => {
    const directory = await filled(t)
    rmSync(join(directory, 'high-water'))
    await assert.rejects(repair(directory, systemClock()), { code: 'DATA_DAMAGED' })
    const { mark } = await repair(directory, systemClock(), { isMarkLost: true })
    assert.equal(mark, 'it was missing')
    const log = await open(t, directory)
    assert.equal((await log.health()).status, 'well')
    assert.equal(await append(log, 'next', 0), String(COUNT))
    await log.close()
    assert.equal((await (await open(t, directory)).health()).status, 'well')
  })

  test('rebuilds an index with a destroyed page', async (t) => {
    const directory = await filled(t)
    destroyLeaf(directory, 'log_foreign_id', 1)
    assert.deepEqual((await repair(directory, systemClock())).pages, [])
    const log = await open(t, directory)
    assert.equal((await log.find?.(ORDERS, 'e-1-77'))?.offset, 77)
    assert.equal(await append(log, 'e-1-77', 1), '77', 'a repeat is known')
  })

  test('leaves indexes alone where rows cannot be read', async (t) => {
    const directory = await filled(t)
    destroyLeaf(directory, 'log', 1)
    await assert.rejects(repair(directory, systemClock()), { code: 'DATA_DAMAGED' })
    const log = await open(t, directory)
    assert.equal((await log.find?.(ORDERS, 'e-1-499'))?.offset, 499, 'the index is there')
    assert.equal((await slice(log, 0)).damage?.code, 'UNREADABLE')
  })
})

suite('a repair that accepts all', () => {
  /** Reads both partitions to their end and appends; returns the numbers of records. */
  async function flows(t: TestContext, directory: string): Promise<number> {
    const log = await open(t, directory)
    assert.equal((await log.health()).status, 'well')
    let count = 0
    for (const partition of [0, 1])
      for (let next = 0; ;) {
        const read = await slice(log, partition, next)
        assert.equal(read.damage, undefined)
        count += read.records.length
        if (read.next === read.end) break
        assert.ok(read.next > next)
        next = read.next
      }
    assert.equal(await append(log, 'more-0', 0), String(COUNT))
    assert.equal(await append(log, 'more-1', 1), String(COUNT))
    await log.close()
    return count
  }

  test('rewrites the log where rows cannot be read; the others stay', async (t) => {
    const directory = await filled(t)
    destroyLeaf(directory, 'log', 1)
    const { pages, losses } = await repair(directory, systemClock(), { accept: ['all'] })
    assert.deepEqual(pages, [])
    assert.ok(losses.length > 0 && losses.every(({ isAccepted }) => isAccepted))
    const count = await flows(t, directory)
    assert.ok(count > 2 * COUNT - 100 && count < 2 * COUNT, `${count} records`)
    const db = new DatabaseSync(join(directory, 'throughline.db'))
    t.after(() => db.close())
    assert.throws(() => db.exec("UPDATE log SET key = 'x' WHERE off = 1"), /immutable/)
  })

  test('rewrites the log where two rows have the same place; one of them stays', async (t) => {
    const directory = await filled(t)
    tamper(
      directory,
      `DROP INDEX log_place; CREATE UNIQUE INDEX log_place ON log (position);
       UPDATE log SET off = 40 WHERE part = 1 AND off = 41; DROP INDEX log_place`,
    )
    const db = new DatabaseSync(join(directory, 'throughline.db'))
    db.enableDefensive(false)
    db.exec(`CREATE INDEX log_place ON log (topic, part, off); PRAGMA writable_schema = ON;
      UPDATE sqlite_schema SET sql = replace(sql, 'CREATE INDEX', 'CREATE UNIQUE INDEX')
      WHERE name = 'log_place'`)
    db.close()
    await assert.rejects(repair(directory, systemClock()), { code: 'DATA_DAMAGED' })
    await repair(directory, systemClock(), { accept: ['all'] })
    assert.equal(await flows(t, directory), 2 * COUNT - 1)
  })

  test('removes a record with an offset behind the end', async (t) => {
    const directory = await filled(t)
    tamper(directory, 'UPDATE log SET off = 1000000 WHERE part = 1 AND off = 41')
    const before = await open(t, directory)
    // A record behind the end belongs to no partition; finding it by its id reports no damage there.
    const rest = await slice(before, 1, 42)
    assert.deepEqual([rest.damage, rest.next], [undefined, COUNT])
    const [again] = await before.append([
      testEvent('e-1-41', { partition: 1, key: keyInPartition(1) }),
    ])
    assert.equal(again?.status === 'refused' && again.code, 'LOG_DAMAGED')
    await before.close()
    const { losses } = await repair(directory, systemClock(), { accept: ['all'] })
    assert.deepEqual(
      losses.map(({ from, to }) => [from, to]),
      [[41, 42]],
    )
    assert.equal(await flows(t, directory), 2 * COUNT - 1)
    const log = await open(t, directory)
    assert.equal(await append(log, 'e-1-41', 1), String(COUNT + 1), 'it can be sent again')
  })

  test('refuses by name a repair that would lose rows of a service', async (t) => {
    const directory = await filled(t)
    const backend: Backend = embedded({ directory })
    await backend.store.open()
    await backend.store.declare([{ name: 'shop.stock', indexes: [] }])
    await backend.store.commit(
      testUnit({
        rows: Array.from({ length: 2_000 }, (_, at) => testRow('shop.stock', `k${at}`)),
      }),
    )
    await backend.store.close()
    destroyLeaf(directory, 't1', 1)
    await assert.rejects(repair(directory, systemClock(), { accept: ['all'] }), {
      code: 'DATA_DAMAGED',
      message: /table t1/,
    })
    assert.equal(await flows(t, directory), 2 * COUNT)
  })
})

suite('salvage', () => {
  test('returns every record of an intact log', async (t) => {
    const found = [...salvage(await filled(t))]
    assert.equal(found.length, 2 * COUNT)
    assert.ok(found.every(({ kind }) => kind === 'record'))
  })

  test('returns the records around a destroyed page, and reports the others', async (t) => {
    const directory = await filled(t)
    destroyLeaf(directory, 'log', 1)
    const found = [...salvage(directory)]
    const records = found.filter(({ kind }) => kind === 'record').length
    const lost = found
      .filter((each) => each.kind === 'unreadable')
      .reduce((sum, { from, to }) => sum + to - from, 0)
    assert.ok(lost > 5 && lost < 100, `${lost} lost`)
    assert.equal(records + lost, 2 * COUNT)
  })

  test('marks damaged records', async (t) => {
    const directory = await filled(t)
    tamper(directory, "UPDATE log SET key = 'x' WHERE part = 1 AND off = 100")
    const flawed = [...salvage(directory)].filter(({ kind }) => kind === 'flawed')
    assert.equal(flawed.length, 1)
  })

  test('returns archived records, and reports those whose files are missing', async (t) => {
    const directory = await filled(t)
    const old = join(directory, 'archive')
    const backend = embedded({ directory })
    await backend.log.open()
    await backend.store.open()
    for (const partition of [0, 1])
      await backend.archive?.({ topic: ORDERS, partition, before: COUNT - 1, to: old })
    await backend.store.close()
    await backend.log.close()
    const found = [...salvage(directory)]
    assert.equal(found.length, 2 * COUNT)
    assert.ok(found.every((each) => each.kind === 'record' && each.record.data !== null))
    rmSync(old, { recursive: true })
    const { record = [], unarchived = [] } = Object.groupBy(salvage(directory), ({ kind }) => kind)
    assert.deepEqual([record.length, unarchived.length], [2, 2 * (COUNT - 1)])
    const [first] = unarchived
    assert.ok(first?.kind === 'unarchived')
    assert.match(first.message, /^ARCHIVE_MISSING: .*orders/)
  })

  test('reports compacted records as compacted, and lost ones as lost', async (t) => {
    const directory = await filled(t)
    const log = await open(t, directory)
    assert.equal(await log.compact(ORDERS, 0, COUNT, 0), COUNT - 1)
    await log.close()
    tamper(directory, "UPDATE log SET gone = 'x' || gone WHERE part = 0 AND off = 7")
    const { record, compacted, unreadable } = Object.groupBy(salvage(directory), ({ kind }) => kind)
    const counts = [record, compacted, unreadable].map((each) => each?.length)
    assert.deepEqual(counts, [COUNT + 1, COUNT - 2, 1])
  })

  test('fails with a code where nothing can be read', async (t) => {
    const directory = await filled(t)
    const handle = openSync(join(directory, 'throughline.db'), 'r+')
    writeSync(handle, Buffer.alloc(PAGE_BYTES), 0, PAGE_BYTES, 0)
    closeSync(handle)
    assert.throws(() => [...salvage(directory)], { code: 'DATA_DAMAGED' })
    assert.throws(() => [...salvage(place(t))], { code: 'DATA_MISSING' })
  })
})
