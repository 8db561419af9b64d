// `throughline dead`, `account` and `audit`: with a running owner, and without an owner.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { App, ListPage } from 'throughline'
import { embedded } from 'throughline/embedded'
import type {
  Account,
  AuditEntry,
  DeadLetterCause,
  DeadLetterEntry,
} from '../../src/control/views.ts'
import type { Outside } from '../control/failing-service.ts'
import { createOutside, startPost, writeLetters } from '../control/failing-service.ts'
import type { CommandResult, TestDirectory } from './harness.ts'
import { createTestDirectory } from './harness.ts'

const IDS = ['bad-1', 'bad-1', 'bad-2', 'good', 'bad-3', 'bad-4']
const bin = fileURLToPath(new URL('../../src/cli/bin.mjs', import.meta.url))

for (const isRunning of [true, false])
  suite(`dead ${isRunning ? 'with a running owner' : 'without an owner'}`, () => {
    const at: TestDirectory = createTestDirectory()
    const outside: Outside = createOutside()
    let app: App
    before(async () => {
      app = await startPost(embedded({ directory: at.data }), outside)
      await writeLetters(app, IDS, 4)
      if (!isRunning) await app.stop()
    })
    after(async () => {
      await app.stop()
      at.remove()
    })
    const items = async (...argv: readonly string[]): Promise<readonly DeadLetterEntry[]> =>
      ((await at.runJson('dead', ...argv)) as ListPage<DeadLetterEntry>).items
    const way = isRunning ? [] : ['--offline']

    test('lists dead letters and their causes, page by page', async () => {
      const { code, out } = await at.run(['dead'])
      assert.equal(code, 0)
      assert.match(out, /^consumer +key +message +failed +attempts +behind +cause +error$/m)
      assert.match(out, /^post\/mail +bad-1 +post\.Written \S+ +.* ago +1 +1 +\S+ +no address -1$/m)
      assert.equal((await items('list', '--key', 'bad-2')).length, 1)
      const page = (await at.runJson('dead', '--limit', '3')) as ListPage<DeadLetterEntry>
      assert.equal((await items('list', '--after', page.next ?? '')).length, 1)
      const causes = await at.run(['dead', 'causes'])
      assert.match(
        causes.out,
        /^\S+ +4 +post\/mail +post\.Written +2\S+ +2\S+ +NO_ADDRESS +no address -<n>$/m,
      )
      const [cause] = (await at.runJson('dead', 'causes')) as readonly DeadLetterCause[]
      assert.equal((await items('list', '--cause', cause?.cause ?? '')).length, 4)
      const none = await at.run(['dead', 'list', '--until', '2020-01-01'])
      assert.deepEqual([none.out, none.err], ['', 'There are no dead letters.\n'])
      assert.match((await at.run(['health'])).out, /throughline dead$/m)
    })

    test('shows one with its stack and data, and previews a redrive', async () => {
      const [letter] = await items('list', '--key', 'bad-1')
      const id = letter?.event.id ?? ''
      const { out } = await at.run(['dead', 'show', id])
      assert.match(
        out,
        /^post\.Written \S+ at post\/mail\nKey bad-1, at post\.events\/\d@0, created at 2/,
      )
      assert.match(out, /^1 event behind it\.$/m)
      assert.match(out, /^Error NO_ADDRESS:\n {2}Error: no address -1\n {6}at /m)
      assert.match(out, /^Data:\n {2}\{\n {4}"id": "bad-1",\n {4}"note": "note 0"\n {2}\}\n$/m)
      const preview = await at.run(['dead', 'preview'])
      assert.match(
        preview.out,
        /^4 dead letters: post\/mail bad-\d, .*\.\n1 event behind them\.\n4 are at/,
      )
      assert.match((await at.run(['dead', 'show', 'none'])).err, /^MESSAGE_NOT_FOUND: .*none/)
      assert.match((await at.run(['dead', 'show'])).err, /id: is missing/)
    })

    test('refuses a change without a selection or a reason, and an unknown action', async () => {
      const cases: readonly (readonly [readonly string[], RegExp])[] = [
        [['redrive', ...way], /all: must be true, or select some by consumer, id, key/],
        [['discard', ...way], /reason: is missing[^]*all: must be true/],
        [['redrive', '--all', '--key', 'x', ...way], /all: must be left out together with key/],
        [['frob'], /frob: is not an action: the actions are list, causes, show/],
        [['edit', 'x', ...way], /new-data: is missing/],
        [['edit', 'x', '--new-data', '{"a', ...way], /new-data: is no file, and not JSON/],
      ]
      for (const [argv, expected] of cases) {
        const { code, err } = await at.run(['dead', ...argv])
        assert.equal(code, 2, err)
        assert.match(err, expected)
      }
      assert.equal((await items()).length, 4)
    })

    test('asks on a terminal, and changes nothing without a yes', async () => {
      const asked: string[] = []
      const say = (answer: string, ...argv: readonly string[]): Promise<CommandResult> =>
        at.run(['dead', ...argv, ...way], {
          ask: async (question) => {
            asked.push(question)
            return answer
          },
        })
      const no = await say('', 'discard', '--key', 'bad-4', '--reason', 'moved')
      assert.deepEqual([no.code, no.out], [1, ''])
      assert.match(
        no.err,
        /^1 dead letter: post\/mail bad-4\.\n0 events behind them\.\nNothing was/,
      )
      assert.equal((await items()).length, 4)
      const yes = await say('y', 'discard', '--key', 'bad-4', '--reason', 'moved', '--by', 'ada')
      assert.deepEqual([yes.code, yes.out], [0, 'Discarded: 1 dead letter.\n'])
      assert.deepEqual(
        asked,
        Array.from({ length: 2 }, () => 'Discard 1 dead letter? [y/N] '),
      )
      const sure = await say('no', 'redrive', '--key', 'none', '--yes')
      assert.equal(sure.out, 'Redriven: 0 dead letters.\n')
      for (const verb of ['redrive', 'discard']) {
        const { code, err } = await say('no', verb, 'unknown', '--reason', 'x', '--yes')
        assert.equal(code, 1)
        assert.match(err, /No dead letter has the id unknown\. throughline chain unknown/)
      }
    })

    test('edits with all issues of the schema, only with a running owner', async () => {
      const [letter] = await items('list', '--key', 'bad-2')
      const id = letter?.event.id ?? ''
      const file = join(at.root, 'new.json')
      writeFileSync(file, '{"id":"bad-2","note":"good"}')
      const edit = ['dead', 'edit', id, '--new-data']
      if (!isRunning) {
        assert.match((await at.run([...edit, file])).err, /^DATA_READ_ONLY: .*no running owner/)
        assert.match((await at.run([...edit, file, ...way])).err, /^DATA_READ_ONLY: .*schemas/)
        return
      }
      const wrong = await at.run([...edit, '{"id":1,"note":"much too long to be a note"}'])
      assert.equal(wrong.code, 1)
      assert.match(wrong.err, /^MESSAGE_INVALID: [^]* {2}- id: [^]* {2}- note: /)
      const right = await at.run([...edit, file])
      assert.match(
        right.out,
        /^post\/mail gets the new data of \S+; the log keeps the original\.\n/,
      )
      assert.equal((await items('list', '--key', 'bad-2'))[0]?.edit?.by, userInfo().username)
      const undone = await at.run(['dead', 'undo-edit', id])
      assert.match(undone.out, /^post\/mail gets the original data of /)
      assert.match((await at.run(['dead', 'show', id])).out, /"note 2"/)
    })

    test('redrives what is left, from another process', async () => {
      outside.isWorking = true
      const argv = ['dead', 'redrive', '--all', '--per-second', '1000', ...way, '--by', 'bob']
      const child = spawn(process.execPath, [bin, ...argv], { cwd: at.root })
      let out = ''
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding('utf8').on('data', (text: string) => (out += text))
      const code = await new Promise((resolve) => child.once('close', resolve))
      assert.deepEqual([code, out], [0, 'Redriven: 3 dead letters.\n'])
      if (!isRunning) app = await startPost(embedded({ directory: at.data }), outside)
      await app.settled()
      assert.equal(outside.handled.filter((each) => each.startsWith('bad')).length, 4)
      if (!isRunning) await app.stop()
      const { out: table } = await at.run(['account'])
      assert.match(
        table,
        /^consumer +accepted +completed +dead +discarded +expired +pending +balances$/m,
      )
      assert.match(table, /^post\/mail +6 +5 +0 +1 +0 +0 +yes$/m)
      assert.equal(((await at.runJson('account')) as Account).balances, true)
    })

    test('leaves an entry for each change in the audit trail', async () => {
      const { out } = await at.run(['audit'])
      assert.match(out, /^time +by +verb +arguments +outcome +reason$/m)
      assert.match(out, /^2\S+Z +ada +dead-discard +key=bad-4 +done +moved$/m)
      assert.match(out, /^2\S+Z +bob +dead-redrive +all=true perSecond=1000 +done$/m)
      const { items: own } = (await at.runJson('audit', '--by', 'bob')) as ListPage<AuditEntry>
      assert.deepEqual(
        own.map(({ verb, result }) => [verb, result]),
        [['dead-redrive', { done: 3, skipped: 0 }]],
      )
      const failed = (await at.run(['audit', '--verb', 'dead-edit'])).out
      assert.match(failed, isRunning ? /failed: MESSAGE_INVALID/ : /failed: DATA_READ_ONLY/)
    })
  })
