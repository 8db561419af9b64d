// The repair and salvage commands on damaged data.
import assert from 'node:assert/strict'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { TestContext } from 'node:test'
import { suite, test } from 'node:test'
import type { TestDirectory } from './harness.ts'
import { createTestDirectory, sendConversations } from './harness.ts'

/** Data of three conversations, without an owner. */
async function ended(t: TestContext): Promise<TestDirectory> {
  const at = createTestDirectory()
  t.after(at.remove)
  const app = await at.launch()
  await sendConversations(app)
  await app.stop()
  return at
}

/** Changes the data of one stored event. */
function spoil(at: TestDirectory): void {
  const db = new DatabaseSync(join(at.data, 'throughline.db'))
  db.exec(`DROP TRIGGER log_is_immutable;
    UPDATE log SET data = replace(data, ':', ' ') WHERE position = (SELECT max(position) FROM log)`)
  db.close()
}

suite('repair', () => {
  test('finds no damage in sound data', async (t) => {
    const at = await ended(t)
    assert.deepEqual(await at.runJson('repair'), { isSound: true, losses: [], pages: [] })
  })

  test('reports damage, and lets consumers skip it once it is accepted', async (t) => {
    const at = await ended(t)
    spoil(at)
    const found = await at.run(['repair'])
    assert.equal(found.code, 1)
    assert.match(found.out, /Damaged: 1 loss is known\./)
    const [, where] = /^ +(\S+\/\d+): offset \d+ is not what was written$/m.exec(found.out) ?? []
    assert.ok(where, found.out)
    assert.match(found.err, /--accept TOPIC\/PARTITION/)
    const wrong = await at.run(['repair', '--accept', 'everything'])
    assert.equal(wrong.code, 2)
    const topic = await at.run(['repair', '--accept', 'asking.evnts/0'])
    assert.match(topic.err, /^TOPIC_NOT_FOUND: .*did you mean "asking\.events"\? \(known: asker/)
    const partition = await at.run(['repair', '--accept', 'asking.events/99'])
    assert.equal(partition.code, 2)
    assert.match(partition.err, /accept: must be from 0 to \d+ for asking\.events, not 99/)
    const accepted = await at.run(['repair', '--accept', where])
    assert.equal(accepted.code, 0, accepted.err)
    assert.match(accepted.out, /is not what was written, accepted/)
    assert.equal((await at.run(['repair'])).code, 0)
  })

  test('writes a new high-water mark only with --reset-high-water', async (t) => {
    const at = await ended(t)
    rmSync(join(at.data, 'high-water'))
    const refused = await at.run(['topics'])
    assert.equal(refused.code, 1)
    assert.match(refused.err, /DATA_DAMAGED.*high-water is missing/s)
    assert.equal((await at.run(['repair'])).code, 1)
    const { out } = await at.run(['repair', '--reset-high-water'])
    assert.match(out, /A new high-water mark was written: it was missing/)
    assert.equal((await at.run(['topics'])).code, 0)
  })

  test('does not create missing data', async (t) => {
    const at = createTestDirectory()
    t.after(at.remove)
    const { code, err } = await at.run(['repair', '--data', 'nowhere'])
    assert.equal(code, 1)
    assert.match(err, /DATA_MISSING/)
    assert.ok(!existsSync(join(at.root, 'nowhere')))
  })

  test('is refused while an owner runs', async (t) => {
    const at = createTestDirectory()
    t.after(at.remove)
    const app = await at.launch()
    t.after(() => app.stop())
    const { code, err } = await at.run(['repair'])
    assert.equal(code, 69)
    assert.match(err, /DATA_OWNED/)
  })
})

suite('salvage', () => {
  test('writes every readable record, one per line, and counts the others', async (t) => {
    const at = await ended(t)
    spoil(at)
    const { code, out } = await at.run(['salvage', '--to', 'saved.ndjson'])
    assert.equal(code, 1)
    assert.match(out, /^11 records saved; 1 with a wrong checksum, 0 unreadable\.$/m)
    const lines = readFileSync(join(at.root, 'saved.ndjson'), 'utf8').trimEnd().split('\n')
    const found = lines.map((line) => (JSON.parse(line) as { kind: string }).kind)
    assert.deepEqual(found.toSorted(), ['flawed', ...Array<string>(11).fill('record')])
  })

  test('needs a file that does not exist', async (t) => {
    const at = await ended(t)
    assert.equal((await at.run(['salvage'])).code, 2)
    assert.equal((await at.run(['salvage', '--to', 'x', '--json'])).code, 0)
    const before = readFileSync(join(at.root, 'x'), 'utf8')
    const { code, err } = await at.run(['salvage', '--to', 'x'])
    assert.equal(code, 2)
    assert.match(err, /^OPTION_INVALID: [^]*to: x already exists: name a new file/)
    assert.equal(readFileSync(join(at.root, 'x'), 'utf8'), before)
    const nowhere = await at.run(['salvage', '--to', 'no/such/folder'])
    assert.equal(nowhere.code, 2)
    assert.match(nowhere.err, /to: no\/such\/folder cannot be written: ENOENT/)
  })

  test('writes no file inside the data, and no empty file for missing data', async (t) => {
    const at = await ended(t)
    const inside = await at.run(['salvage', '--to', 'data/saved.ndjson'])
    assert.match(inside.err, /^ {2}- to: lies inside the data: name a place outside of it$/m)
    const { code, err } = await at.run(['salvage', '--to', 'saved', '--data', 'nowhere'])
    assert.equal(code, 1)
    assert.match(err, /^DATA_MISSING: /)
    assert.ok(!existsSync(join(at.root, 'saved')))
  })

  test('reads archived records, and counts those of a missing archive', async (t) => {
    const at = await ended(t)
    const argv = ['archive', 'asking.commands', '--before', '2999-01-01', '--to', 'old']
    await at.runJson(...argv, '--offline')
    const counts = { records: 12, flawed: 0, unreadable: 0, unarchived: 0, compacted: 0 }
    assert.deepEqual(await at.runJson('salvage', '--to', 'all'), { file: 'all', ...counts })
    const lines = readFileSync(join(at.root, 'all'), 'utf8').trimEnd().split('\n')
    assert.ok(lines.every((line) => (JSON.parse(line) as Line).record.data !== null))
    rmSync(join(at.root, 'old'), { recursive: true })
    const { code, out } = await at.run(['salvage', '--to', 'rest'])
    assert.equal(code, 1)
    assert.match(out, /^9 records saved; .*\n3 records not saved: their archive cannot be read\.$/m)
  })
})

interface Line {
  readonly record: { readonly data: string | null }
}
