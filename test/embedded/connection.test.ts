import assert from 'node:assert/strict'
import { existsSync, readdirSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { TestContext } from 'node:test'
import { suite, test } from 'node:test'
import { systemClock, withTimeout } from '../../src/base/time/clock.ts'
import {
  ORDERS,
  NO_LIMIT,
  testEvent,
  testEvents,
  idsOf,
} from '../../src/ports/conformance/fixtures.ts'
import {
  assertStored,
  readAll,
  testRow,
  startPosition,
  appendStored,
} from '../../src/ports/conformance/fixtures.ts'
import { testTopic, testUnit } from '../../src/ports/conformance/fixtures.ts'
import type { Backend } from '../../src/ports/event-store.ts'
import { embedded } from '../../src/backends/embedded/index.ts'
import { close, place } from './support/data-directory.ts'

const TABLE = 'shop.orders'

/** A temporary directory, removed after the test. */
async function open(t: TestContext, directory: string): Promise<Backend> {
  const backend = embedded({ directory })
  t.after(() => close(backend))
  await openAgain(backend)
  await backend.log.declare([testTopic(ORDERS)])
  await backend.store.declare([{ name: TABLE, indexes: [] }])
  return backend
}

async function openAgain({ log, store }: Backend): Promise<void> {
  await log.open()
  await store.open()
}

/** The result of a promise, with a generous deadline. */
async function timely<T>(promise: Promise<T>): Promise<T> {
  const box = await withTimeout(
    systemClock(),
    10_000,
    promise.then((value) => ({ value })),
  )
  assert.ok(box, 'it comes to an end')
  return box.value
}

suite('where a data directory may lie', () => {
  const names = ['with a space', 'Bücher-書籍-📦', "o'clock; DROP", '100%41?mode=ro#x', 'file:data']
  for (const name of names)
    test(`in a directory named ${name}`, async (t) => {
      const directory = join(place(t), name, 'data')
      const backend = await open(t, directory)
      await appendStored(backend.log, testEvents('a', 5))
      await close(backend)
      assert.ok(existsSync(join(directory, 'throughline.db')))
      assert.equal((await readAll((await open(t, directory)).log)).length, 5)
    })

  for (const name of ['relative data', 'file:relative', ':memory:'])
    test(`at the relative path ${name}`, async (t) => {
      const [before, parent] = [process.cwd(), place(t)]
      process.chdir(parent)
      t.after(() => process.chdir(before))
      const backend = await open(t, name)
      await appendStored(backend.log, testEvents('a', 5))
      await close(backend)
      assert.deepEqual(readdirSync(parent), [name])
      assert.ok(existsSync(join(parent, name, 'throughline.db')))
      assert.equal((await readAll((await open(t, join(parent, name))).log)).length, 5)
    })

  test('a relative path is resolved once, before the working directory changes', async (t) => {
    const [before, parent, elsewhere] = [process.cwd(), place(t), place(t)]
    t.after(() => process.chdir(before))
    process.chdir(parent)
    const backend = await open(t, 'data')
    await appendStored(backend.log, testEvents('a', 5))
    process.chdir(elsewhere)
    await appendStored(backend.log, testEvents('b', 5))
    await close(backend)
    assert.ok(!existsSync(join(parent, 'data', 'owner.json')), 'nobody owns it any more')
    await openAgain(backend)
    assert.equal((await readAll(backend.log)).length, 10)
    await close(backend)
    assert.deepEqual(readdirSync(elsewhere), [])
  })

  const isPosix = process.platform !== 'win32'
  test('created files are readable by their owner alone', { skip: !isPosix }, async (t) => {
    const directory = join(place(t), 'deep', 'data')
    await open(t, directory)
    assert.equal(statSync(directory).mode & 0o777, 0o700)
  })

  test('a symbolic link leads to the same locked directory', { skip: !isPosix }, async (t) => {
    const directory = place(t)
    const link = join(place(t), 'link')
    symlinkSync(directory, link)
    await open(t, directory)
    await assert.rejects(embedded({ directory: link }).log.open(), { code: 'DATA_OWNED' })
  })
})

suite('opening and closing', () => {
  test('close releases everything, and the same object opens again', async (t) => {
    const directory = place(t)
    const backend = await open(t, directory)
    await appendStored(backend.log, testEvents('a', 5))
    for (let round = 1; round <= 3; round += 1) {
      await close(backend)
      assert.deepEqual(readdirSync(directory).toSorted(), [
        'high-water',
        'owner.lock',
        'throughline.db',
        'throughline.json',
      ])
      assert.equal((await backend.log.health()).status, 'failing')
      await assert.rejects(backend.log.append([testEvent('x')]), /not open/)
      await openAgain(backend)
      assert.equal((await backend.log.health()).status, 'well')
      await appendStored(backend.log, testEvents(`a${round}`, 5))
      assert.equal((await readAll(backend.log)).length, 5 + round * 5)
    }
  })

  test('closing one of log and store leaves the other open', async (t) => {
    const directory = place(t)
    const { log, store } = await open(t, directory)
    await log.close()
    await log.close()
    const answer = await store.commit(testUnit({ rows: [testRow(TABLE, 'a')] }))
    assert.equal(answer.status, 'done')
    await assert.rejects(embedded({ directory }).log.open(), { code: 'DATA_OWNED' })
    await log.open()
    await store.close()
    await appendStored(log, [testEvent('a')])
    await log.close()
    const next = await open(t, directory)
    assert.deepEqual(idsOf(await readAll(next.log)), ['a'])
  })

  test('close finishes running calls', async (t) => {
    const directory = place(t)
    const backend = await open(t, directory)
    const appends = Array.from({ length: 50 }, (_, at) =>
      backend.log.append([testEvent(`a-${at}`)]),
    )
    const units = Array.from({ length: 50 }, (_, at) =>
      backend.store.commit(testUnit({ rows: [testRow(TABLE, `key-${at}`)] })),
    )
    await timely(close(backend))
    for (const answers of await timely(Promise.all(appends))) assertStored(answers)
    for (const answer of await timely(Promise.all(units))) assert.equal(answer.status, 'done')
    const next = await open(t, directory)
    assert.equal((await readAll(next.log)).length, 50)
    assert.equal((await next.store.scan({ table: TABLE, limit: 100 })).length, 50)
  })

  test('close ends a waiting read', async (t) => {
    const backend = await open(t, place(t))
    const read = backend.log.read([startPosition(0)], NO_LIMIT, { ms: 600_000 })
    await close(backend)
    assert.deepEqual((await timely(read))[0]?.records, [])
  })

  test('close during a long trim ends the trim, and damages nothing', async (t) => {
    const directory = place(t)
    const backend = await open(t, directory)
    await appendStored(backend.log, testEvents('a', 12_000, { key: 'one', partition: 0 }))
    const trim = backend.log.trim(ORDERS, 0, 12_000).then(
      () => 'trimmed',
      () => 'refused',
    )
    await close(backend)
    await timely(trim)
    const next = await open(t, directory)
    const [end] = await next.log.ends([ORDERS])
    assert.ok(end && end.next === 12_000 && end.first % 5_000 === 0)
    assert.equal((await readAll(next.log)).length, 12_000 - end.first)
  })

  test('a failed open releases everything', async (t) => {
    const directory = place(t)
    const backend = await open(t, directory)
    const second = embedded({ directory })
    await assert.rejects(openAgain(second), { code: 'DATA_OWNED' })
    await assert.rejects(second.store.commit(testUnit()), /not open/)
    await close(second)
    await appendStored(backend.log, [testEvent('a')])
    await close(backend)
    await openAgain(second)
    t.after(() => close(second))
    assert.deepEqual(idsOf(await readAll(second.log)), ['a'])
  })
})

suite('what outlives a reopening', () => {
  test('offsets and positions are never reused, also when everything was trimmed', async (t) => {
    const directory = place(t)
    let latest = -1
    for (let round = 0; round < 3; round += 1) {
      const backend = await open(t, directory)
      await appendStored(backend.log, testEvents(`a${round}`, 40))
      const records = await readAll(backend.log)
      assert.equal(records.length, 40, 'everything before is trimmed')
      const positions = records.map(({ position }) => position as number)
      assert.ok(Math.min(...positions) > latest)
      latest = Math.max(...positions)
      for (const { partition, next } of await backend.log.ends([ORDERS])) {
        const offsets = records.filter((record) => record.partition === partition)
        assert.equal(next - offsets.length, offsets[0]?.offset ?? next)
        await backend.log.trim(ORDERS, partition, next)
      }
      await close(backend)
      const next = await open(t, directory)
      assert.deepEqual(await readAll(next.log), [])
      const ends = await next.log.ends([ORDERS])
      assert.equal(
        ends.reduce((sum, end) => sum + end.next, 0),
        (round + 1) * 40,
      )
      assert.ok(ends.every(({ first, next }) => first === next))
      await close(next)
    }
  })

  test('leases of an earlier process are free, also after a failed commit', async (t) => {
    const directory = place(t)
    const first = await open(t, directory)
    const before = await first.store.beat({ id: 'one' }, ['r'], 3_600_000)
    assert.deepEqual(before.held, [{ resource: 'r', generation: 1 }])
    await close(first)
    const { log, store } = await open(t, directory)
    const { exec } = DatabaseSync.prototype
    const failing = t.mock.method(
      DatabaseSync.prototype,
      'exec',
      function (this: DatabaseSync, sql: string) {
        if (sql === 'COMMIT') throw new Error('disk I/O error')
        exec.call(this, sql)
      },
    )
    assert.equal((await log.append([testEvent('a')]))[0]?.status, 'unknown')
    failing.mock.restore()
    const after = await store.beat({ id: 'two' }, ['r'], 3_600_000)
    assert.deepEqual(after.held, [{ resource: 'r', generation: 2 }])
  })
})

test('1,000 concurrent appends need few transactions, each with one sync', async (t) => {
  const { log } = await open(t, place(t))
  const { exec } = DatabaseSync.prototype
  let count = 0
  t.mock.method(DatabaseSync.prototype, 'exec', function (this: DatabaseSync, sql: string) {
    if (sql === 'COMMIT') count += 1
    exec.call(this, sql)
  })
  const events = testEvents('a', 1_000)
  const answers = await Promise.all(events.map((event) => log.append([event])))
  assertStored(answers.flat())
  assert.equal(count, 1)
  const writer = async (name: number): Promise<void> => {
    for (let at = 0; at < 20; at += 1) await appendStored(log, [testEvent(`w${name}-${at}`)])
  }
  await Promise.all(Array.from({ length: 50 }, (_, name) => writer(name)))
  assert.ok(count <= 1 + 25, `${count} transactions for 1,000 appends of 50 writers`)
  assert.equal((await readAll(log)).length, 2_000)
})
