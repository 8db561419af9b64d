import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { idText, storedId } from './event-ids.ts'

/** Text that SQLite can store: lone surrogates do not survive UTF-8, and are refused on append. */
const texts = fc.string({ unit: 'grapheme', maxLength: 80 })
const uuids = fc.uuid({ version: 7 })
/** Ids in random order, which are stored as text. */
const foreign = fc.uuid({ version: [1, 4, 5] })
/** Strings that look like a UUID and are none, or are written differently. */
const nearlyUuids = fc.oneof(
  uuids.map((id) => id.toUpperCase()).filter((id) => id !== id.toLowerCase()),
  uuids.map((id) => id.replaceAll('-', '')),
  uuids.map((id) => `{${id}}`),
  uuids.map((id) => `${id} `),
  uuids.map((id) => `${id}\n`),
  uuids.map((id) => id.slice(1)),
  uuids.map((id) => `g${id.slice(1)}`),
)
const ids = fc.oneof(uuids, foreign, nearlyUuids, texts)

/** A table with the id column of the log. */
function table(): { keep(id: string): unknown; close(): void } {
  const db = new DatabaseSync(':memory:')
  db.exec('CREATE TABLE log (id ANY NOT NULL) STRICT; CREATE UNIQUE INDEX log_id ON log (id)')
  const insert = db.prepare('INSERT OR REPLACE INTO log (id) VALUES (?) RETURNING id')
  return {
    keep: (id) => Object.values(insert.get(storedId(id)) ?? {})[0],
    close: () => db.close(),
  }
}

suite('ids of events', () => {
  test('a lower-case UUID of version 7 is stored as its 16 bytes', () => {
    const stored = storedId('0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b')
    assert.ok(stored instanceof Uint8Array)
    assert.deepEqual([...stored].slice(0, 4), [0x01, 0x90, 0xa1, 0xb2])
    fc.assert(
      fc.property(uuids, (id) => {
        const bytes = storedId(id)
        assert.ok(bytes instanceof Uint8Array)
        assert.equal(bytes.length, 16)
      }),
    )
  })

  test('any other id is stored as text', () => {
    fc.assert(
      fc.property(fc.oneof(foreign, nearlyUuids, texts), (id) => assert.equal(storedId(id), id)),
    )
  })

  test('every id reads back from the database unchanged', () => {
    const { keep, close } = table()
    fc.assert(fc.property(ids, (id) => assert.equal(idText(keep(id)), id)))
    close()
  })

  test('a damaged id decodes to another id without an error', () => {
    assert.deepEqual([null, undefined, 7, {}].map(idText), ['', '', '', ''])
  })

  test('two ids never have the same stored form', () => {
    const twins = fc.oneof(
      fc.tuple(ids, ids),
      uuids.map((id) => [id, id.toUpperCase()] as const),
      uuids.map((id) => [id, id.replaceAll('-', '')] as const),
      uuids.map(
        (id) => [id, Buffer.from(id.replaceAll('-', ''), 'hex').toString('latin1')] as const,
      ),
    )
    fc.assert(
      fc.property(twins, ([a, b]) => {
        if (a === b) return
        assert.notDeepEqual(storedId(a), storedId(b))
      }),
    )
  })

  test('an id in the middle of a larger buffer is decoded', () => {
    const larger = new Uint8Array(32).fill(0xff)
    larger.set(storedId('0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b') as Uint8Array, 8)
    assert.equal(idText(larger.subarray(8, 24)), '0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b')
  })
})
