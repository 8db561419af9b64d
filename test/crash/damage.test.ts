import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, suite, test } from 'node:test'
import { embedded, repair } from 'throughline/embedded'
import { PAGE_BYTES } from '../../src/backends/embedded/sql/schema.ts'
import { systemClock } from '../../src/base/time/clock.ts'
import { eventOf } from './support/batches.ts'
import { fastestTempRoot } from './support/child-process.ts'
import type { DamageOptions, Damager } from './support/damager.ts'
import { createDamager } from './support/damager.ts'
import { readPartition } from './support/snapshot.ts'
import { TOPICS } from './support/scenario.ts'

const NEW_ID = '01890000-0000-7000-9000-000000000001'
const isPosix = process.platform !== 'win32'

suite('a damaged directory', { skip: !isPosix }, () => {
  let root = ''
  let damager: Damager | undefined

  before(async () => {
    root = mkdtempSync(join(fastestTempRoot(), 'throughline-damage-'))
    damager = await createDamager(join(root, 'all'), 5)
  })

  after(async () => {
    await damager?.close()
    rmSync(root, { recursive: true })
  })

  /** Some of what `npm run crash:damage` does; what each came to. */
  async function damage(options: DamageOptions): Promise<Readonly<Record<string, number>>> {
    assert.ok(damager)
    const { verdicts, wrong } = await damager.damage(options)
    assert.deepEqual(wrong, [])
    return verdicts
  }

  test('LOG-20 bit flip in the write-ahead log: what is lost is named', async () => {
    const { whole = 0, ...loud } = await damage({
      runs: 16,
      ways: ['flip a bit'],
      targets: ['throughline.db-wal'],
    })
    assert.ok((loud['partition'] ?? 0) > 3, JSON.stringify({ whole, ...loud }))
  })

  test('LOG-21 write-ahead log cut off, zeroed or deleted: the same', async () => {
    const { partition = 0 } = await damage({
      runs: 20,
      ways: ['truncate', 'zero a page', 'delete', 'swap two pages'],
      targets: ['throughline.db-wal'],
    })
    assert.ok(partition > 5)
  })

  /** Changes one column of one record behind the back of the backend. */
  function edit(column: string, value: string): (directory: string) => void {
    return (directory) => {
      const db = new DatabaseSync(join(directory, 'throughline.db'))
      for (const { name } of db
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
        .all())
        db.exec(`DROP TRIGGER ${String(name)}`)
      const { changes } = db
        .prepare(
          `UPDATE log SET ${column} = ${value} WHERE part = 1 AND off = 3
           AND topic = (SELECT id FROM topic WHERE name = ?)`,
        )
        .run(TOPICS.measured)
      assert.equal(changes, 1)
      db.close()
    }
  }

  /** Writes zeros over the first page of an index. */
  function zeroRoot(path: string, index: string): void {
    const db = new DatabaseSync(path)
    const row = db.prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?').get(index)
    db.close()
    const bytes = readFileSync(path)
    const at = (Number(row?.['rootpage']) - 1) * PAGE_BYTES
    writeFileSync(path, bytes.fill(0, at, at + PAGE_BYTES))
  }

  /** Throws where the directory does not take an event, or does not give one. */
  async function writtenTo(directory: string): Promise<void> {
    const { log } = embedded({ directory })
    await log.open()
    try {
      const [end] = await log.ends([TOPICS.trimmed])
      assert.ok(end)
      const { damage } = await readPartition(log, end)
      assert.equal(damage, undefined)
      const event = eventOf(TOPICS.trimmed, 'one more', 'm1', {})
      const answers = await log.append([event, { ...event, id: NEW_ID }])
      assert.deepEqual(
        answers.map(({ status }) => status),
        ['stored', 'stored'],
      )
    } finally {
      await log.close()
    }
  }

  const edits: Readonly<Record<string, string>> = {
    data: "replace(data, 'x', 'y')",
    key: "key || 'x'",
    type: "type || 'x'",
    head: "replace(head, 'door', 'doom')",
    id: "'another'",
    at: 'at + 1',
    stored: 'stored + 1',
    off: '1000000',
    position: '1000000',
    sum: 'sum + 1',
  }
  for (const [column, value] of Object.entries(edits))
    test(`LOG-22 changed ${column} of a record: found on exactly that record`, async () => {
      assert.ok(damager)
      const { verdict, found } = await damager.once(edit(column, value))
      assert.deepEqual([verdict.kind, ...verdict.violations], ['partition'])
      assert.deepEqual(verdict.unrepaired, [])
      const stopped = found?.partitions.filter(({ error }) => error !== undefined) ?? []
      assert.deepEqual(
        stopped.map(({ name, records }) => [name, records.length]),
        [[`${TOPICS.measured}/1`, 3]],
      )
      assert.match(stopped[0]?.error?.text ?? '', /\b3\b/)
    })

  test('LOG-22 changed chain of a record: found by whoever verifies', async () => {
    assert.ok(damager)
    let losses: readonly string[] = []
    await damager.once(async (directory) => {
      edit('chain', 'chain + 1')(directory)
      const repaired = await repair(directory, systemClock())
      losses = repaired.losses.map(({ topic, partition, from }) => `${topic}/${partition}@${from}`)
    })
    assert.ok(losses.includes(`${TOPICS.measured}/1@3`), losses.join())
  })

  test('LOG-23 bit flips, zeroed pages and a cut off database: whole, or named', async () => {
    const { partition = 0, directory = 0 } = await damage({
      runs: 30,
      ways: ['flip a bit', 'zero a page', 'truncate'],
      targets: ['throughline.db'],
    })
    assert.ok(partition > 1 && directory > 1, `${partition} and ${directory}`)
  })

  for (const index of ['log_place', 'log_id', 'log_foreign_id'])
    test(`LOG-24 damaged index ${index}: named, and made again without a loss`, async () => {
      assert.ok(damager)
      const untouched = await damager.once(() => undefined)
      const counts = untouched.found?.partitions.map(({ records }) => records.length)
      let pages: readonly string[] = ['never repaired']
      const { verdict, found } = await damager.once(async (directory) => {
        zeroRoot(join(directory, 'throughline.db'), index)
        await assert.rejects(writtenTo(directory))
        pages = (await repair(directory, systemClock())).pages
      })
      assert.deepEqual(pages, [])
      assert.deepEqual([verdict.kind, ...verdict.violations], ['whole'])
      assert.deepEqual(
        found?.partitions.map(({ records }) => records.length),
        counts,
      )
    })

  test('LOG-25 an older database or write-ahead log put back: named', async () => {
    const verdicts = await damage({
      runs: 12,
      ways: ['put an older copy back'],
      targets: ['throughline.db', 'throughline.db-wal'],
    })
    assert.equal(verdicts['whole'] ?? 0, 0)
  })

  test('a damaged or missing mark: whole, or named', async () => {
    await damage({ runs: 15, targets: ['high-water', 'throughline.json'] })
  })
})
