// Lone surrogates in an indexed field: `find` finds them, and rows of an older version, in whose index
// SQLite replaced them by U+FFFD, are not reported as damage.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { TestContext } from 'node:test'
import { suite, test } from 'node:test'
import { contract, event, projection, query, queryHandler, service, start, tool } from 'throughline'
import { embedded } from 'throughline/embedded'
import { z } from 'zod'
import { tableRowChecksum } from '../../src/backends/embedded/sql/checksums.ts'
import { systemClock } from '../../src/base/time/clock.ts'
import { openOfflineSystem } from '../../src/control/offline-system.ts'
import { runVerb } from '../../src/control/verbs.ts'
import type { VerifyResult } from '../../src/control/verify.ts'

const Task = z.object({ taskId: z.string(), owner: z.string() })
const Tasks = contract(
  'tasks',
  { key: 'taskId' },
  {
    Opened: event(Task),
    All: query(z.object({}), { answers: z.array(z.string()) }),
    Of: query(z.object({ owner: z.string() }), { answers: z.array(z.string()) }),
  },
)
const indexes = ['owner'] as const
const open = projection('open', { by: 'taskId', row: tool<{ owner: string }>(), indexes }, (on) => [
  on(Tasks.Opened, ({ owner }) => ({ owner })),
])
const reading = queryHandler('reading', { of: Tasks, reads: [open] }, (on) => [
  on(Tasks.All, async (_, read) => (await read(open).find()).rows.map(({ id }) => id)),
  on(Tasks.Of, async ({ owner }, read) => {
    return (await read(open).find({ owner })).rows.map(({ id }) => id)
  }),
])
const tasks = service('tasks', { owns: [Tasks], runs: [open, reading] })

const OWNERS = { a: 'Ada', b: '\ud800', c: 'x\udc00y', d: '\ufffd' }

/** Closed data with one row for each owner. */
async function written(t: TestContext): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'throughline-'))
  t.after(() => rmSync(directory, { recursive: true }))
  await using app = await start([tasks], embedded({ directory }))
  for (const [taskId, owner] of Object.entries(OWNERS))
    await app.append([Tasks.Opened({ taskId, owner })])
  await app.settled()
  return directory
}

async function verified(directory: string): Promise<VerifyResult> {
  const system = await openOfflineSystem(embedded({ directory, isReadOnly: true }), systemClock())
  try {
    return (await runVerb(system, 'verify', {})) as VerifyResult
  } finally {
    await system.close()
  }
}

/** Writes the rows as the older version did: the checksum covers the text, the column does not. */
function asBefore(directory: string): void {
  const db = new DatabaseSync(join(directory, 'throughline.db'))
  const found = db.prepare("SELECT id FROM tbl WHERE name = 'tasks.open'").get()
  const table = Number(found?.['id'])
  const select = db.prepare(`SELECT key, version, body FROM t${table} WHERE key IN ('b', 'c')`)
  for (const { key, version, body } of select.all()) {
    const { owner } = JSON.parse(String(body)) as { owner: string }
    const sum = tableRowChecksum(table, String(key), Number(version), String(body), [owner])
    const update = db.prepare(`UPDATE t${table} SET i1 = ?, sum = ? WHERE key = ?`)
    update.run(owner, sum, key as string)
    const stored = db.prepare(`SELECT i1 FROM t${table} WHERE key = ?`).get(key as string)
    assert.equal(stored?.['i1'], owner.toWellFormed(), 'the database has replaced it')
  }
  db.close()
}

suite('a lone surrogate in an indexed field', () => {
  test('is found as it was written, and not reported as damage', async (t) => {
    const directory = await written(t)
    assert.deepEqual((await verified(directory)).issues, [])
    await using app = await start([tasks], embedded({ directory }))
    assert.deepEqual(await app.ask(Tasks.All({})), ['a', 'b', 'c', 'd'])
    for (const [taskId, owner] of Object.entries(OWNERS))
      assert.deepEqual(await app.ask(Tasks.Of({ owner })), [taskId])
  })

  test('replaced by an older version is not reported as damage, and found after a rebuild', async (t) => {
    const directory = await written(t)
    asBefore(directory)
    assert.deepEqual((await verified(directory)).issues, [])
    await using app = await start([tasks], embedded({ directory }))
    assert.deepEqual(await app.ask(Tasks.All({})), ['a', 'b', 'c', 'd'])
    assert.deepEqual(await app.ask(Tasks.Of({ owner: '\ud800' })), [], 'not under its own text yet')
    await app.append([Tasks.Opened({ taskId: 'c', owner: 'Cleo' })])
    await app.settled()
    assert.deepEqual(await app.ask(Tasks.Of({ owner: 'Cleo' })), ['c'])
    await app.rebuild('tasks/open')
    assert.deepEqual(await app.ask(Tasks.Of({ owner: '\ud800' })), ['b'])
    assert.deepEqual(await app.ask(Tasks.Of({ owner: '\ufffd' })), ['d'])
  })

  test('that was replaced does not hide other damage of its row', async (t) => {
    const directory = await written(t)
    asBefore(directory)
    const db = new DatabaseSync(join(directory, 'throughline.db'))
    const id = db.prepare("SELECT id FROM tbl WHERE name = 'tasks.open'").get()?.['id']
    db.exec(`UPDATE t${String(id)} SET version = version + 1 WHERE key = 'b'`)
    db.exec(`UPDATE t${String(id)} SET i1 = 'x' WHERE key = 'c'`)
    db.close()
    const paths = (await verified(directory)).issues.map(({ path }) => path)
    assert.deepEqual(paths, ['tasks.open b', 'tasks.open c'])
  })

  test('that was replaced is not reported as damage after another index was created', async (t) => {
    const directory = await written(t)
    asBefore(directory)
    const { log, store } = embedded({ directory })
    await log.open()
    await store.open()
    await store.declare([{ name: 'tasks.open', indexes: ['owner', 'other'] }])
    const rows = await store.scan({ table: 'tasks.open', limit: 9 })
    assert.equal(rows.length, 4)
    assert.deepEqual((await store.inspect?.('tasks.open', undefined, 9))?.damaged, [])
    await store.close()
    await log.close()
  })
})
