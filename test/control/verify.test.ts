// Data that was harmed behind the back of its owner: verify says what, and where.
import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, suite, test } from 'node:test'
import { start } from 'throughline'
import { embedded } from 'throughline/embedded'
import { systemClock } from '../../src/base/time/clock.ts'
import type { TopicArchiveResult } from '../../src/control/archive.ts'
import { openOfflineSystem } from '../../src/control/offline-system.ts'
import { runVerb } from '../../src/control/verbs.ts'
import type { VerifyResult } from '../../src/control/verify.ts'
import { systemOf } from '../../src/runtime/running-system.ts'
import { Asking, talking } from './talking-services.ts'

const COUNT = 60
const TOPIC = 'asking.events'
/** A partition that has more than a few records, and one of its offsets. */
const PARTITION = 4
const KEY = 'a'

let root: string
let whole: string
let archived: TopicArchiveResult
let copies = 0

/** Data with conversations of one key, of which the first are in an archive. */
before(async () => {
  root = mkdtempSync(join(tmpdir(), 'throughline verify '))
  whole = join(root, 'whole')
  const app = await start(talking, embedded({ directory: whole }))
  for (let at = 0; at < COUNT; at += 1) {
    const operation = await app.send(Asking.Ask({ id: KEY }), { id: `ask-${at}` })
    await operation.accepted()
  }
  await app.settled()
  const wish = { topic: TOPIC, before: '20', to: join(root, 'old') }
  archived = (await runVerb(systemOf(app), 'archive', wish)) as TopicArchiveResult
  await app.stop()
})
after(() => rmSync(root, { recursive: true }))

async function verified(directory: string): Promise<VerifyResult> {
  const system = await openOfflineSystem(embedded({ directory, isReadOnly: true }), systemClock())
  try {
    return (await runVerb(system, 'verify', {})) as VerifyResult
  } finally {
    await system.close()
  }
}

/** A copy of the data, changed by SQL. */
function harmed(sql: string): string {
  copies += 1
  const directory = join(root, `copy-${copies}`)
  copyDirectory(whole, directory)
  const db = new DatabaseSync(join(directory, 'throughline.db'))
  if (sql !== '') db.exec(`DROP TRIGGER log_is_immutable; DROP TRIGGER log_stays; ${sql}`)
  db.close()
  return directory
}

function copyDirectory(from: string, to: string): void {
  const names = ['throughline.json', 'throughline.db', 'high-water']
  mkdirSync(to)
  for (const name of names) copyFileSync(join(from, name), join(to, name))
}

const at = (offset: number): string =>
  `topic = (SELECT id FROM topic WHERE name = '${TOPIC}') AND part = ${PARTITION} AND off = ${offset}`

suite('verify', () => {
  test('finds nothing in undamaged data, and counts what it has read', async () => {
    const { isSound, issues, records, rows } = await verified(whole)
    assert.deepEqual(issues, [])
    assert.equal(isSound, true)
    assert.equal(archived.records, 20)
    assert.ok(records >= 2 * COUNT, `${records} records`)
    assert.ok(rows > 0, `${rows} rows`)
  })

  const flaws: readonly (readonly [string, string, string, RegExp])[] = [
    [
      'a record that was changed',
      `UPDATE log SET data = '{"id":"b"}' WHERE ${at(30)}`,
      `${TOPIC}/${PARTITION}@30`,
      /is not what was written/,
    ],
    [
      'records that are gone',
      `DELETE FROM log WHERE ${at(30)} OR ${at(31)}`,
      `${TOPIC}/${PARTITION}@30-31`,
      /is missing/,
    ],
    [
      'records that have changed places',
      `UPDATE log SET off = -1 WHERE ${at(30)}; UPDATE log SET off = 30 WHERE ${at(31)};
       UPDATE log SET off = 31 WHERE ${at(-1)}`,
      `${TOPIC}/${PARTITION}@30-31`,
      /is not what was written/,
    ],
    [
      'a chain that is broken',
      `UPDATE log SET chain = chain + 1 WHERE ${at(30)}`,
      `${TOPIC}/${PARTITION}@30-31`,
      /does not follow/,
    ],
    [
      'a row of state that was changed',
      `UPDATE t$ SET body = '{"state":7}'`,
      'asker.question a',
      /is not what was written/,
    ],
  ]
  for (const [name, sql, path, message] of flaws)
    test(`names ${name}`, async () => {
      const { isSound, issues, damage } = await verified(
        harmed(sql.replace('t$', tableOf('asker.question'))),
      )
      assert.equal(isSound, false)
      const ranges = damage.map(({ topic, partition, from, to }) => {
        return `${topic}/${partition}@${to - from > 1 ? `${from}-${to - 1}` : from}`
      })
      assert.equal(ranges.includes(path), path.startsWith(TOPIC), 'as a value, too')
      const [found] = issues
      assert.deepEqual([found?.path, issues.filter((each) => each.path === path).length], [path, 1])
      assert.match(found?.message ?? '', message)
    })

  test('continues behind damage', async () => {
    const all = await verified(whole)
    const { records } = await verified(harmed(`UPDATE log SET data = '{}' WHERE ${at(30)}`))
    assert.equal(records, all.records - 1)
  })

  test('reports records that are missing at an end', async () => {
    const { issues } = await verified(harmed(`DELETE FROM log WHERE ${at(COUNT - 1)}`))
    assert.equal(issues[0]?.path, `${TOPIC}/${PARTITION}@${COUNT - 1}`)
  })

  test('reports acknowledged records that an older copy lacks', async () => {
    const directory = harmed('')
    const app = await start(talking, embedded({ directory }))
    const operation = await app.send(Asking.Ask({ id: KEY }))
    await operation.accepted()
    await app.stop()
    copyFileSync(join(whole, 'throughline.db'), join(directory, 'throughline.db'))
    const { isSound, issues } = await verified(directory)
    assert.equal(isSound, false)
    const found = issues.find(({ path }) => path === `${TOPIC}/${PARTITION}@${COUNT}`)
    assert.match(found?.message ?? '', /was acknowledged and is missing/)
  })

  test('reports the range of a damaged archive file once', async () => {
    const [file = ''] = archived.files
    const bytes = readFileSync(file)
    for (const [harm, code] of [
      [() => writeFileSync(file, bytes.subarray(0, 50)), 'ARCHIVE_DAMAGED'],
      [() => rmSync(file), 'ARCHIVE_MISSING'],
    ] as const) {
      harm()
      const { issues, records, damage } = await verified(whole)
      const [found] = damage
      const { topic, partition, from, to } = found ?? {}
      assert.deepEqual([topic, partition, from, to], [TOPIC, PARTITION, 0, 20])
      assert.deepEqual([damage.length, found?.code, found?.file], [1, code, file])
      assert.deepEqual(
        issues.map(({ path }) => path),
        [`${TOPIC}/${PARTITION}@0-19`],
      )
      assert.ok(issues[0]?.message.startsWith(code) && !issues[0].message.includes('\n'))
      assert.ok(records >= 2 * COUNT - 20)
    }
    writeFileSync(file, bytes)
    assert.equal((await verified(whole)).isSound, true)
  })

  test('reads archived records for every new consumer', async () => {
    const system = await openOfflineSystem(
      embedded({ directory: whole, isReadOnly: true }),
      systemClock(),
    )
    const [slice] = await system.backend.log.read(
      [{ topic: TOPIC, partition: PARTITION, next: 0 }],
      { records: 1_000, bytes: 1_000_000 },
      { ms: 0 },
    )
    assert.equal(slice?.records.length, COUNT)
    await system.close()
  })
})

function tableOf(name: string): string {
  const db = new DatabaseSync(join(whole, 'throughline.db'), { readOnly: true })
  try {
    return `t${String(db.prepare('SELECT id FROM tbl WHERE name = ?').get(name)?.['id'])}`
  } finally {
    db.close()
  }
}
