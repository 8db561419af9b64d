import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync, StatementSync } from 'node:sqlite'
import type { TestContext } from 'node:test'
import { suite, test } from 'node:test'
import { NO_COUNTS } from '../../src/ports/progress.ts'
import {
  ORDERS,
  PAYMENTS,
  testEvent,
  testEvents,
  idsOf,
} from '../../src/ports/conformance/fixtures.ts'
import { commitDone, readAll, testRow, appendStored } from '../../src/ports/conformance/fixtures.ts'
import { testTopic, testUnit, resultCode } from '../../src/ports/conformance/fixtures.ts'
import type { Backend, Unit, CommitResult } from '../../src/ports/event-store.ts'
import { embedded } from '../../src/backends/embedded/index.ts'

const TABLE = 'shop.orders'
const CONSUMER = 'shop.onOrder'

interface Trial extends Backend {
  readonly directory: string
  /** The connection that the backend uses. */
  readonly db: DatabaseSync
  readonly open: () => Promise<void>
  readonly close: () => Promise<void>
}

/** A backend with some data, and access to its connection. */
async function trial(t: TestContext): Promise<Trial> {
  const directory = await mkdtemp(join(tmpdir(), 'throughline-'))
  const { log, store } = embedded({ directory })
  const open = async (): Promise<void> => {
    await log.open()
    await store.open()
  }
  const close = async (): Promise<void> => {
    await log.close()
    await store.close()
  }
  t.after(async () => {
    await close()
    await rm(directory, { recursive: true })
  })
  const connections = new Set<DatabaseSync>()
  const { exec } = DatabaseSync.prototype
  const spy = t.mock.method(
    DatabaseSync.prototype,
    'exec',
    function (this: DatabaseSync, sql: string) {
      connections.add(this)
      exec.call(this, sql)
    },
  )
  await open()
  await log.declare([testTopic(ORDERS), testTopic(PAYMENTS)])
  spy.mock.restore()
  const db = [...connections].find((each) => each.location()?.endsWith('throughline.db'))
  assert.ok(db)
  await store.declare([{ name: TABLE, indexes: ['colour'] }])
  await appendStored(log, testEvents('before', 20))
  await commitDone(store, unitTo(1))
  await store.beat({ id: 'one' }, ['r'], 60_000)
  return { log, store, directory, db, open, close }
}

function unitTo(version: number, fields: Partial<Unit> = {}): Unit {
  const counts = { ...NO_COUNTS, accepted: 1, completed: 1 }
  const place = { consumer: CONSUMER, topic: ORDERS, partition: 0 }
  return testUnit({
    progress: [{ ...place, from: version - 1, next: version, ...counts }],
    rows: [testRow(TABLE, 'a', { expected: version - 1, version, index: { colour: 'red' } })],
    appends: [testEvent(`unit-${version}`, { topic: PAYMENTS })],
    streams: [{ table: TABLE, key: 'a', version, append: 0 }],
    ...fields,
  })
}

/** The complete content of a backend. */
async function state({ log, store }: Backend): Promise<unknown> {
  return {
    ends: await log.ends([ORDERS, PAYMENTS]),
    orders: await readAll(log),
    payments: await readAll(log, PAYMENTS),
    progress: await store.progress([CONSUMER]),
    rows: await store.scan({ table: TABLE, limit: 100 }),
    stream: await store.stream({ table: TABLE, key: 'a' }, 0, 100),
  }
}

/** Checks that the in-memory state equals the database: reopening finds the same. */
async function isAsStored(backend: Trial): Promise<void> {
  const before = await state(backend)
  await backend.close()
  await backend.open()
  assert.deepEqual(await state(backend), before)
}

/** Forbids the database to grow. */
function fill({ db }: Trial): void {
  const { page_count: count } = db.prepare('PRAGMA page_count').get() ?? {}
  db.exec(`PRAGMA max_page_count = ${Number(count)}`)
}

const large = (id: string) => testEvent(id, { data: JSON.stringify('x'.repeat(100_000)) })

suite('a full disk', () => {
  test('refuses appends, leaves units unknown, and changes nothing', async (t) => {
    const backend = await trial(t)
    const { log, store } = backend
    const before = await state(backend)
    fill(backend)
    const [small, big, unit, beat] = await Promise.all([
      log.append(testEvents('small', 3)),
      log.append([large('big'), testEvent('after')]),
      store.commit(unitTo(2)),
      store.beat({ id: 'two' }, ['r', 's'], 60_000).catch((cause: unknown) => cause),
    ])
    assert.deepEqual(small.map(resultCode), ['LOG_FULL', 'LOG_FULL', 'LOG_FULL'])
    assert.deepEqual(big.map(resultCode), ['LOG_FULL', 'LOG_FULL'])
    assert.equal(unit.status, 'unknown')
    assert.ok(beat instanceof Error)
    assert.deepEqual(await state(backend), before)
    const health = await log.health()
    assert.equal(health.status, 'failing')
    assert.match(health.detail, /full/)
    assert.deepEqual(await store.health(), health)
  })

  test('accepts everything again once there is space', async (t) => {
    const backend = await trial(t)
    const { log, store, db } = backend
    fill(backend)
    assert.deepEqual((await log.append([large('big')])).map(resultCode), ['LOG_FULL'])
    db.exec('PRAGMA max_page_count = 100000')
    assert.deepEqual((await log.append([large('big')])).map(resultCode), ['stored'])
    assert.equal((await log.health()).status, 'well')
    await commitDone(store, unitTo(2))
    const claim = { resource: 'r', generation: 1 }
    await commitDone(store, unitTo(3, { fences: [claim] }))
    const ends = await log.ends([ORDERS])
    assert.equal(
      ends.reduce((sum, { next }) => sum + next, 0),
      21,
      'no offset is lost',
    )
    await isAsStored(backend)
  })

  test('accepts what fits into existing pages', async (t) => {
    const backend = await trial(t)
    fill(backend)
    assert.deepEqual((await backend.log.append([large('big')])).map(resultCode), ['LOG_FULL'])
    assert.deepEqual((await backend.log.append([testEvent('small')])).map(resultCode), ['stored'])
    assert.equal((await backend.log.health()).status, 'well')
    await isAsStored(backend)
  })

  test('a topic or table that could not be created does not exist', async (t) => {
    const backend = await trial(t)
    const { log, store, db } = backend
    fill(backend)
    const names = Array.from({ length: 40 }, (_, at) => `shop.table${at}`)
    const [topics, tables] = await Promise.allSettled([
      log.declare([testTopic('many', 1_000)]),
      store.declare(names.map((name) => ({ name, indexes: ['a'] }))),
    ])
    assert.deepEqual([topics.status, tables.status], ['rejected', 'rejected'])
    const event = testEvent('a', { topic: 'many' })
    assert.deepEqual((await log.append([event])).map(resultCode), ['TOPIC_NOT_FOUND'])
    await assert.rejects(store.get([{ table: 'shop.table0', key: 'a' }]), /not declared/)
    db.exec('PRAGMA max_page_count = 100000')
    const [topic] = await log.declare([testTopic('many', 1_000)])
    assert.equal(topic?.isNew, true)
    await store.declare(names.map((name) => ({ name, indexes: ['a'] })))
    await commitDone(store, { rows: [testRow('shop.table39', 'a', { index: { a: 1 } })] })
    await isAsStored(backend)
  })
})

suite('a disk that fails in a commit', () => {
  /** Makes one statement fail, before or after it runs. */
  function plant(t: TestContext, verb: string, isAfter = false): { restore(): void } {
    const { exec } = DatabaseSync.prototype
    return t.mock.method(
      DatabaseSync.prototype,
      'exec',
      function (this: DatabaseSync, sql: string) {
        const isIt = sql.startsWith(verb)
        if (!isIt || isAfter) exec.call(this, sql)
        if (isIt) throw new Error('disk I/O error')
      },
    ).mock
  }

  for (const verb of ['BEGIN', 'COMMIT'])
    test(`at its ${verb}: the result is unknown, and nothing has changed`, async (t) => {
      const backend = await trial(t)
      const { log, store } = backend
      const before = await state(backend)
      const planted = plant(t, verb)
      const [answers, unit] = await Promise.all([
        log.append(testEvents('a', 3)),
        store.commit(unitTo(2)),
      ])
      assert.deepEqual(answers.map(resultCode), ['unknown', 'unknown', 'unknown'])
      assert.equal(unit.status, 'unknown')
      assert.equal((await store.health()).status, 'failing')
      await assert.rejects(log.trim(ORDERS, 0, 3), /disk I\/O error/)
      await assert.rejects(log.declare([testTopic('new')]), /disk I\/O error/)
      planted.restore()
      assert.deepEqual(await state(backend), before)
      assert.deepEqual(
        (await log.append(testEvents('a', 3))).map(resultCode),
        Array(3).fill('stored'),
      )
      await commitDone(store, unitTo(2))
      assert.equal((await store.health()).status, 'well')
      await isAsStored(backend)
    })

  test('after its COMMIT: a repeated append is a duplicate, and the unit is visible', async (t) => {
    const backend = await trial(t)
    const { log, store } = backend
    const planted = plant(t, 'COMMIT', true)
    const [answers, unit] = await Promise.all([
      log.append(testEvents('a', 3)),
      store.commit(unitTo(2)),
    ])
    planted.restore()
    assert.deepEqual(answers.map(resultCode), ['unknown', 'unknown', 'unknown'])
    assert.equal(unit.status, 'unknown')
    const [progress] = await store.progress([CONSUMER])
    assert.equal(progress?.next, 2, 'the progress tells that it happened')
    assert.deepEqual(
      (await log.append(testEvents('a', 3))).map(resultCode),
      Array(3).fill('repeat'),
    )
    assert.equal((await store.commit(unitTo(2))).status, 'fenced')
    assert.equal(new Set(idsOf(await readAll(log))).size, 23)
    await isAsStored(backend)
  })

  test('so that the in-memory state cannot be reloaded: health reports it, and nothing is made up', async (t) => {
    const backend = await trial(t)
    const { log, store } = backend
    const before = await state(backend)
    const planted = plant(t, 'COMMIT')
    const all = t.mock.method(StatementSync.prototype, 'all', () => {
      throw new Error('disk I/O error')
    }).mock
    assert.deepEqual(
      (await log.append(testEvents('a', 3))).map(resultCode),
      Array(3).fill('unknown'),
    )
    for (const each of [log, store]) assert.equal((await each.health()).status, 'failing')
    await assert.rejects(readAll(log))
    await assert.rejects(log.ends([ORDERS]))
    await assert.rejects(store.progress([CONSUMER]))
    planted.restore()
    all.restore()
    assert.deepEqual(await state(backend), before)
    assert.deepEqual(
      (await log.append(testEvents('a', 3))).map(resultCode),
      Array(3).fill('stored'),
    )
    assert.equal((await log.health()).status, 'well')
    await isAsStored(backend)
  })
})

suite('a caller that is broken', () => {
  const broken: Readonly<Record<string, Partial<Unit>>> = {
    'a stream of a table that was not declared': {
      streams: [{ table: 'shop.none', key: 'a', version: 2, append: 0 }],
    },
    'a row of a table that was not declared': { rows: [testRow('shop.none', 'a')] },
    'an index value that is none': {
      rows: [
        testRow(TABLE, 'a', {
          expected: 1,
          version: 2,
          index: { colour: {} as unknown as string },
        }),
      ],
    },
    'text that would not come back as it was': { rows: [testRow(TABLE, '\ud800')] },
    'an append to a topic that was not declared': { appends: [testEvent('x', { topic: 'none' })] },
  }
  for (const [what, fields] of Object.entries(broken))
    test(`${what} rejects its unit alone`, async (t) => {
      const backend = await trial(t)
      const { log, store } = backend
      const [before, unit, after] = await Promise.allSettled([
        log.append([testEvent('a')]),
        store.commit(unitTo(2, fields)),
        log.append([testEvent('b')]),
      ])
      assert.equal(unit.status, 'rejected')
      for (const append of [before, after]) {
        assert.ok(append.status === 'fulfilled')
        assert.deepEqual(append.value.map(resultCode), ['stored'])
      }
      assert.equal((await log.health()).status, 'well')
      await commitDone(store, unitTo(2))
      await isAsStored(backend)
    })

  const unwritable: Readonly<Record<string, Partial<Unit>>> = {
    'a time that is no whole number': {
      appends: [testEvent('unit-2', { topic: PAYMENTS, at: 1.5 })],
    },
  }
  const taken = { streams: [{ table: TABLE, key: 'a', version: 1, append: 0 }] }
  const harmless: readonly (readonly [string, Partial<Unit>, CommitResult['status']])[] = [
    ...Object.entries(unwritable).map(([what, fields]) => [what, fields, 'unknown'] as const),
    ['a version of a stream that is there already', taken, 'conflict'],
  ]
  for (const [what, fields, is] of harmless)
    test(`${what} affects no other request, wherever in its group it is`, async (t) => {
      const backend = await trial(t)
      const { log, store } = backend
      const bad = () => store.commit(unitTo(2, fields))
      const [first, a, second, b, third] = await Promise.all([
        bad(),
        log.append([testEvent('a')]),
        bad(),
        log.append([testEvent('b')]),
        bad(),
      ])
      assert.deepEqual([first.status, second.status, third.status], [is, is, is])
      assert.deepEqual([...a, ...b].map(resultCode), ['stored', 'stored'])
      assert.equal((await log.health()).status, 'well', 'the disk is well')
      const [progress] = await store.progress([CONSUMER])
      assert.equal(progress?.next, 1)
      await commitDone(store, unitTo(2))
      await isAsStored(backend)
    })
})
