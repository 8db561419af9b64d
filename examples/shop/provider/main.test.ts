// The command on a disk and in real time: what it prints, and what the books say.
import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { readOptions } from './options.ts'

const main = fileURLToPath(new URL('main.ts', import.meta.url))
const books = fileURLToPath(new URL('../check-books.ts', import.meta.url))
const cli = fileURLToPath(new URL('../../../src/cli/bin.mjs', import.meta.url))
const excerpt = fileURLToPath(new URL('../data/orders.csv', import.meta.url))
const root = mkdtempSync(join(tmpdir(), 'bad days '))
after(() => rmSync(root, { recursive: true }))

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly errors: string
}

/** Runs a program. Takes each step once the program has said its text on stderr. */
function run(
  args: readonly string[],
  steps: readonly { readonly said: string; readonly step: Step }[] = [],
): Promise<Ended> {
  const child = spawn(process.execPath, args, { cwd: root })
  let [out, errors] = ['', '']
  const left = [...steps]
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString()
    while (left[0] && errors.includes(left[0].said)) left.shift()?.step(errors, child)
  })
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, out, errors })))
}

type Step = (errors: string, child: ChildProcess) => void

const fast = ['--speed', '40', '--port', '0']

suite('bad days of the provider', { concurrency: 2 }, () => {
  test('are survived, and the books are those of the file', async () => {
    const { code, out, errors } = await run([main, ...fast, '--json', '--data', 'all'])
    assert.equal(code, 0, errors)
    const summary = join(root, 'summary.json')
    writeFileSync(summary, out)
    const checked = await run([books, excerpt, summary])
    assert.equal(checked.code, 0, checked.out)
    for (const said of [
      /is down[\s\S]*answers each payment a second time[\s\S]*is slow[\s\S]*answers well/,
      /payment\/charging has a dead letter:\n {2}PAYMENT_CHARGE_REQUESTED \S+ of c:12483: FINAL/,
      /An edit without a number is refused: card: /,
      /[1-9]\d* calls failed while the provider was down/,
      /[1-9]\d* payments were answered a second time/,
      /[1-9]\d* answers came too late/,
      /The card of order 553674 \(\S+O\) was refused for good/,
      /The books balance, and the provider has moved the same money/,
    ])
      assert.match(errors, said)
  })

  test('can be ended by hand, with the commands that are printed', async () => {
    const done: Promise<Ended>[] = []
    const operate = async (errors: string): Promise<Ended> => {
      const [, id = ''] = /dead edit (\S+)/.exec(errors) ?? []
      const [, data = ''] = /--new-data '(.*?)'/.exec(errors) ?? []
      const where = ['--data', join('hand', 'log'), '--by', 'ada']
      const edited = await run([cli, 'dead', 'edit', id, '--new-data', data, ...where])
      assert.equal(edited.code, 0, edited.errors)
      return run([cli, 'dead', 'redrive', id, ...where])
    }
    const ended = await run(
      [main, ...fast, '--by-hand', '--data', 'hand'],
      [
        { said: 'are printed here', step: (errors) => void done.push(operate(errors)) },
        { said: 'The shop is running', step: (_, child) => void child.kill('SIGINT') },
      ],
    )
    assert.equal(ended.code, 0, ended.errors)
    const [redriven] = await Promise.all(done)
    assert.equal(redriven?.code, 0, redriven?.errors)
    assert.match(ended.errors, /The books balance, and the provider has moved the same money/)
  })

  test('are not simulated in a directory that holds something else', async () => {
    mkdirSync(join(root, 'mine'))
    writeFileSync(join(root, 'mine', 'thesis.txt'), 'years of work')
    const { code, errors } = await run([main, ...fast, '--data', 'mine'])
    assert.equal(code, 1)
    assert.match(errors, /holds something else/)
  })

  test('invalid options are answered with the usage', () => {
    for (const args of [
      ['--sped', '2'],
      ['--speed', '0'],
      ['--seed', '1.5'],
      ['--port', 'x'],
    ]) {
      const options = readOptions(args)
      assert.ok('print' in options, args.join(' '))
      assert.equal(options.exitCode, 2)
      assert.match(options.print, /npm run provider-outage/)
    }
    const help = readOptions(['--help'])
    assert.equal('exitCode' in help && help.exitCode, 0)
  })
})
