// Archiving old records into files, and reading them from there.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import {
  encodeLine,
  compressBlock,
  decodeBlock,
} from '../../src/backends/embedded/archive/archive-block.ts'
import { ORDERS, readAll, appendStored } from '../../src/ports/conformance/fixtures.ts'
import { testRow, testUnit, resultCode } from '../../src/ports/conformance/fixtures.ts'
import type { LogRecord } from '../../src/ports/event-log.ts'
import {
  COUNT,
  PARTITION,
  TABLE,
  close,
  fixtureEvents,
  archiveBefore,
  open,
  createArchiveFixture,
  zcat,
} from './support/archive-fixture.ts'

/** Any character. The unit `binary` of fast-check first maps a million of them: more than a second. */
const character = fc.nat(0x10_ffff).map((code) => String.fromCodePoint(code).toWellFormed())

suite('an archive', () => {
  test('contains the moved records, and the log reads as before', async (t) => {
    const at = await createArchiveFixture(t)
    const moved = await archiveBefore(at, 2_000)
    assert.deepEqual([moved.from, moved.to, moved.records], [0, 2_000, 2_000])
    assert.deepEqual(await readAll(at.backend.log), at.records)
    assert.deepEqual(await readAll(at.backend.log, ORDERS, { records: 7, bytes: 900 }), at.records)
    for (const record of [at.records[0], at.records[7], at.records[1_999], at.records[2_000]])
      assert.deepEqual(await at.backend.log.find?.(ORDERS, record?.id ?? ''), record)
    const end = (await at.backend.log.ends([ORDERS])).find(
      ({ partition }) => partition === PARTITION,
    )
    assert.deepEqual([end?.first, end?.next], [0, COUNT])
    assert.equal(
      moved.bytes,
      moved.files.reduce((sum, file) => sum + statSync(file).size, 0),
    )
  })

  test('reads the same after a restart, and beside the owner', async (t) => {
    const at = await createArchiveFixture(t)
    await archiveBefore(at, 2_000)
    assert.deepEqual(await readAll((await open(t, at.data, true)).log), at.records)
    await close(at.backend)
    assert.deepEqual(await readAll((await open(t, at.data)).log), at.records)
  })

  test('consists of lines of JSON', async (t) => {
    const at = await createArchiveFixture(t)
    const { files } = await archiveBefore(at, 1_200)
    const offsets = zcat(files).map(({ offset }) => offset)
    assert.deepEqual(
      offsets,
      Array.from({ length: 1_200 }, (_, offset) => offset),
    )
    const [line] = zcat(files)
    const [{ id, key, type, at: happened, storedAt } = {} as LogRecord] = at.records
    assert.deepEqual(line, {
      offset: 0,
      id,
      key,
      type,
      at: happened,
      storedAt,
      head: { source: 'orders', hops: 0 },
      data: { n: 0 },
    })
    const { status, stdout } = spawnSync('gzip', ['-dc', ...files], { encoding: 'utf8' })
    if (status === 0) assert.equal(stdout.trimEnd().split('\n').length, 1_200)
  })

  test('continues where the last one ended, and moves nothing twice', async (t) => {
    const at = await createArchiveFixture(t)
    const first = await archiveBefore(at, 900)
    const second = await archiveBefore(at, 1_500)
    assert.deepEqual([second.from, second.to, second.records], [900, 1_500, 600])
    const none = await archiveBefore(at, 1_000)
    assert.deepEqual([none.from, none.to, none.records, none.files], [1_500, 1_500, 0, []])
    assert.equal(zcat([...first.files, ...second.files]).length, 1_500)
    assert.deepEqual(await readAll(at.backend.log), at.records)
    const all = await archiveBefore(at, 1_000_000)
    assert.equal(all.to, COUNT)
    assert.deepEqual(await readAll(at.backend.log), at.records)
  })

  test('with concurrent calls moves each record once', async (t) => {
    const at = await createArchiveFixture(t)
    const moved = await Promise.all([
      archiveBefore(at, 700),
      archiveBefore(at, 900),
      archiveBefore(at, 800),
    ])
    assert.deepEqual(
      moved.map(({ from, to }) => [from, to]),
      [
        [0, 700],
        [700, 900],
        [900, 900],
      ],
    )
    assert.deepEqual(await readAll(at.backend.log), at.records)
  })

  test('removes the payloads from the database', async (t) => {
    const at = await createArchiveFixture(t)
    await archiveBefore(at, 2_000)
    await close(at.backend)
    const db = new DatabaseSync(join(at.data, 'throughline.db'), { readOnly: true })
    t.after(() => db.close())
    const left = db.prepare('SELECT min(off) AS first, count(*) AS count FROM log WHERE head <> ?')
    assert.deepEqual({ ...left.get('') }, { first: 2_000, count: COUNT - 2_000 })
    const moved = db.prepare('SELECT count(*) AS count FROM log WHERE off < 2000 AND data IS NULL')
    assert.deepEqual({ ...moved.get() }, { count: 2_000 })
  })

  test('frees space in the database for later records', async (t) => {
    const at = await createArchiveFixture(t)
    const pages = (): { readonly all: number; readonly free: number } => {
      const db = new DatabaseSync(join(at.data, 'throughline.db'), { readOnly: true })
      const value = (name: string): number =>
        Number(Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0])
      const counted = { all: value('page_count'), free: value('freelist_count') }
      db.close()
      return counted
    }
    const large = fixtureEvents('large', 2_000).map((event) => {
      return { ...event, data: JSON.stringify({ text: 'x'.repeat(1_000) }) }
    })
    await appendStored(at.backend.log, large)
    const before = pages()
    await archiveBefore(at, COUNT + 2_000)
    const { all, free } = pages()
    assert.ok(all - free < before.all / 2, `${all} pages, ${free} of them free`)
    const again = large.map((event) => ({ ...event, id: `again-${event.id}` }))
    await appendStored(at.backend.log, again)
    assert.ok(pages().all < all * 1.3)
    assert.equal((await readAll(at.backend.log)).length, COUNT + 4_000)
  })

  test('keeps ids known: a duplicate is detected, and other content conflicts', async (t) => {
    const at = await createArchiveFixture(t)
    await archiveBefore(at, 2_000)
    const [same, other] = fixtureEvents('e', 2)
    assert.ok(same && other)
    const answers = await at.backend.log.append([same, { ...other, data: '{"n":99}' }])
    assert.deepEqual(answers.map(resultCode), ['repeat', 'ID_CONFLICT'])
    const [, tombstone] = [same, fixtureEvents('e', 8)[7]]
    assert.ok(tombstone && tombstone.data === null)
    assert.deepEqual((await at.backend.log.append([tombstone])).map(resultCode), ['repeat'])
  })

  test('returns the stream of an entity with archived events', async (t) => {
    const at = await createArchiveFixture(t)
    const [first, second] = fixtureEvents('s', 2)
    assert.ok(first && second)
    const row = { table: TABLE, key: 'o' }
    const unit = testUnit({
      rows: [testRow(TABLE, 'o')],
      appends: [first, second],
      streams: [
        { ...row, version: 1, append: 0 },
        { ...row, version: 2, append: 1 },
      ],
    })
    assert.equal((await at.backend.store.commit(unit)).status, 'done')
    const before = await at.backend.store.stream(row, 1, 10)
    assert.equal(before.length, 2)
    await archiveBefore(at, COUNT + 1)
    assert.deepEqual(await at.backend.store.stream(row, 1, 10), before)
  })

  test('leaves compacted records as holes', async (t) => {
    const at = await createArchiveFixture(t)
    await at.backend.log.compact(ORDERS, PARTITION, 1_000, 0)
    const left = await readAll(at.backend.log)
    assert.equal(left.length, COUNT - 1_000)
    const moved = await archiveBefore(at, 1_500)
    assert.deepEqual([moved.from, moved.to, moved.records], [0, 1_500, 500])
    assert.deepEqual(await readAll(at.backend.log), left)
    assert.equal(await at.backend.log.find?.(ORDERS, 'e-3'), undefined)
  })

  test('with nothing but holes writes no file', async (t) => {
    const at = await createArchiveFixture(t)
    await at.backend.log.compact(ORDERS, PARTITION, COUNT, Number.MAX_SAFE_INTEGER)
    const moved = await archiveBefore(at, 1_000)
    assert.deepEqual([moved.records, moved.files], [0, []])
    assert.deepEqual(existsSync(at.to) ? readdirSync(at.to) : [], [])
  })

  test('is removed by a trim', async (t) => {
    const at = await createArchiveFixture(t)
    await archiveBefore(at, 2_000)
    await at.backend.log.trim(ORDERS, PARTITION, 1_900)
    assert.deepEqual(await readAll(at.backend.log), at.records.slice(1_900))
    const moved = await archiveBefore(at, 2_200)
    assert.deepEqual([moved.from, moved.to], [2_000, 2_200])
  })

  test('reports its progress in records', async (t) => {
    const at = await createArchiveFixture(t)
    await archiveBefore(at, 500)
    const told: (readonly [number, number])[] = []
    const wish = { topic: ORDERS, partition: PARTITION, before: 2_000, to: at.to }
    await at.backend.archive?.(wish, ({ done, total }) => told.push([done, total]))
    assert.deepEqual(told.at(-1), [1_500, 1_500])
  })

  test('is refused for a read-only backend', async (t) => {
    const at = await createArchiveFixture(t)
    const reader = { ...at, backend: await open(t, at.data, true) }
    await assert.rejects(archiveBefore(reader, 10), { code: 'DATA_READ_ONLY' })
    assert.equal(existsSync(at.to), false)
  })
})

test('a block returns any texts unchanged', async () => {
  const text = fc.oneof(
    fc.json(),
    fc.string({ unit: character }),
    fc.constantFrom('null', '{"a":1.0}', '{"b":1,"a":1,"a":2}', ' {}', '{', '"\\u0041"', '[1,\n2]'),
  )
  const record = fc.record({
    offset: fc.nat(),
    id: fc.string(),
    key: fc.string(),
    head: text,
    data: fc.option(text),
  })
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(record, { selector: ({ offset }) => offset }), async (some) => {
      const lines = some.map((each) =>
        encodeLine({ topic: 't', partition: 0, type: 'x', at: 1, storedAt: 2, ...each }),
      )
      const { bodies } = decodeBlock(await compressBlock(lines.join('')))
      for (const { offset, head, data } of some)
        assert.deepEqual(bodies.get(offset), { head, data })
      assert.equal(bodies.size, some.length)
    }),
    { numRuns: 200 },
  )
})
