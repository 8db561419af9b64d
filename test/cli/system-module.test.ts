// Commands import a module for its exports only; nothing that the module starts runs.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { TestDirectory } from './harness.ts'
import { createTestDirectory, systemFile, sendConversations } from './harness.ts'

const bin = fileURLToPath(new URL('../../src/cli/bin.mjs', import.meta.url))

/** Runs the command line in a process of its own, to see how that ends. */
const say = (at: TestDirectory, ...argv: readonly string[]): ReturnType<typeof spawnSync> =>
  spawnSync(process.execPath, [bin, ...argv], { cwd: at.root, encoding: 'utf8', timeout: 20_000 })

const verbs: Readonly<Record<string, (file: string) => readonly string[]>> = {
  run: (file) => ['run', file, '--port', '0'],
  rebuild: (file) => ['rebuild', file, 'asker/asked'],
  'contracts --check': (file) => ['contracts', '--check', file],
}

suite('a module that starts a system when imported is refused', () => {
  const modules = {
    starting: 'start',
    'starting-unawaited': 'start',
    'starting-below': 'start',
    listening: 'listen',
  }
  for (const [name, call] of Object.entries(modules))
    for (const [verb, argv] of Object.entries(verbs))
      test(`by ${verb}: ${name}.ts`, () => {
        const at = createTestDirectory()
        const file = systemFile(name)
        const { status, stdout, stderr } = say(at, ...argv(file))
        assert.deepEqual([status, stdout], [2, ''])
        const [first, issue, cure] = String(stderr).split('\n')
        assert.match(first ?? '', /^OPTION_INVALID: /)
        assert.ok(issue?.startsWith(`  - ${file}: calls ${call} when it is imported`))
        assert.match(issue ?? '', /name the module that exports the services/)
        assert.match(cure ?? '', /^correct the options/)
        assert.equal(existsSync(at.data), false)
        at.remove()
      })

  test('as JSON with --json', () => {
    const at = createTestDirectory()
    const { status, stderr } = say(at, 'run', systemFile('starting-unawaited'), '--json')
    assert.equal(status, 2)
    const { error } = JSON.parse(String(stderr)) as { error: { code: string } }
    assert.equal(error.code, 'OPTION_INVALID')
    at.remove()
  })
})

suite('a module that never finishes its import is refused', () => {
  const modules: Readonly<Record<string, readonly [text: string, what: string]>> = {
    'waits-for-ever.mjs': ['await new Promise(() => {})', 'never finishes its import'],
    'ends-the-process.mjs': ['process.exit(0)', 'ends the process when it is imported'],
    'ends-it-below.mjs': [
      'await 1; setTimeout(() => process.exit(), 1); await new Promise(() => {})',
      'ends the process when it is imported',
    ],
  }
  for (const [name, [text, what]] of Object.entries(modules))
    for (const [verb, argv] of Object.entries(verbs))
      test(`by ${verb}: ${name}`, () => {
        const at = createTestDirectory()
        writeFileSync(join(at.root, name), text)
        const { status, stdout, stderr } = say(at, ...argv(name))
        assert.deepEqual([status, stdout], [2, ''])
        assert.ok(String(stderr).startsWith('OPTION_INVALID: '), String(stderr))
        assert.ok(String(stderr).includes(`  - ${name}: ${what}`), String(stderr))
        const asJson = say(at, ...argv(name), '--json')
        assert.equal(asJson.status, 2)
        const { error } = JSON.parse(String(asJson.stderr)) as { error: { code: string } }
        assert.equal(error.code, 'OPTION_INVALID')
        assert.equal(existsSync(at.data), false)
        at.remove()
      })
})

test('a module that starts its services after the import gets a note that this is ignored', async () => {
  const at = createTestDirectory()
  const stop = new AbortController()
  const argv = ['run', systemFile('starting-later'), '--port', '0', '--json']
  const { code, err } = await at.run(argv, { signal: stop.signal, onOutput: () => stop.abort() })
  assert.equal(code, 0)
  assert.match(err, /starting-later\.ts calls start, which is ignored: only its exports are used/)
  assert.equal(existsSync(`${at.root}/other`), false)
  at.remove()
})

test('wrong usage ends the process, even if the module keeps it alive', () => {
  const at = createTestDirectory()
  for (const argv of Object.values(verbs)) {
    const { status, stderr } = say(at, ...argv(systemFile('lingering')))
    assert.equal(status, 2)
    assert.match(String(stderr), /only other/)
  }
  at.remove()
})

test('a finished command ends the process, even if the module keeps it alive', async () => {
  const at = createTestDirectory()
  const app = await at.launch()
  await sendConversations(app)
  await app.stop()
  const { status, stdout } = say(at, 'contracts', '--check', systemFile('lingering-contracts'))
  assert.equal(status, 0)
  assert.match(String(stdout), /^Compatible with/)
  at.remove()
})

test('the service module that init writes works with run, rebuild and contracts', async () => {
  const at = createTestDirectory()
  const file = fileURLToPath(new URL('../../src/cli/init/typescript/service.ts', import.meta.url))
  const stop = new AbortController()
  const argv = ['run', file, '--port', '0', '--json']
  const ran = await at.run(argv, { signal: stop.signal, onOutput: () => stop.abort() })
  assert.deepEqual([ran.code, ran.err], [0, ''])
  const rebuilt = await at.run(['rebuild', file, 'reading-room/open-loans'])
  assert.match(rebuilt.out, /^Rebuilt reading-room\/open-loans: /)
  const checked = await at.run(['contracts', '--check', file])
  assert.match(checked.out, /^Compatible with/)
  const main = say(at, 'run', fileURLToPath(new URL('main.ts', `file://${file}`)))
  assert.equal(main.status, 2)
  at.remove()
})
