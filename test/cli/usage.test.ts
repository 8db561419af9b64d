// The help of the command line, wrong usage, and init.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { EXIT_CODES } from '../../src/cli/terminal/exit-codes.ts'
import type { TestDirectory } from './harness.ts'
import { createTestDirectory } from './harness.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const bin = join(root, 'src/cli/bin.mjs')
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  'Run services': ['run'],
  'Inspect a system and its data': [
    'topics',
    'consumers',
    'log',
    'replay',
    'chain',
    'ledger',
    'held',
    'sagas',
    'operations',
    'timers',
    'account',
    'audit',
    'contracts',
    'describe',
    'health',
  ],
  'Operate a running system': ['pause', 'resume', 'rebuild', 'dead'],
  'Maintain the data': ['verify', 'repair', 'salvage', 'backup', 'restore', 'archive'],
  'Projects and benchmarks': ['bench', 'init'],
}
const COMMANDS = Object.values(GROUPS).flat()

let at: TestDirectory
before(() => (at = createTestDirectory()))
after(() => at.remove())

suite('help', () => {
  test('lists all commands in groups, and the exit codes', async () => {
    for (const argv of [['--help'], ['-h'], ['help']]) {
      const { code, out, err } = await at.run(argv)
      assert.deepEqual([code, err], [0, ''])
      const listed = [...out.matchAll(/^ {2}([a-z]+)(?: \S+)* {2,}[A-Z]/gm)].map(([, name]) => name)
      assert.deepEqual(listed, COMMANDS)
      const titles = [...out.matchAll(/^([A-Z][^:\n]*):$/gm)].map(([, title]) => title)
      assert.deepEqual(titles, ['Options', ...Object.keys(GROUPS), 'Exit codes'])
      for (const { code: exit, meaning } of Object.values(EXIT_CODES))
        assert.match(out, new RegExp(`^ +${exit} {2}${meaning}$`, 'm'))
    }
  })

  for (const name of COMMANDS)
    test(`of ${name} has an example and the exit codes`, async () => {
      const { code, out, err } = await at.run([name, '--help'])
      assert.deepEqual([code, err], [0, ''])
      assert.match(out, new RegExp(`^Usage: throughline ${name} \\[options\\]`))
      assert.match(out, new RegExp(`^Examples:\n {2}throughline ${name}`, 'm'))
      assert.match(out, /^Exit codes:\n {3}0 {2}success$/m)
      assert.match(out, /--json/)
      assert.equal((await at.run(['help', name])).out, out)
    })

  test('imports neither the server nor the database', () => {
    const forbidding = `import { registerHooks } from 'node:module'
      registerHooks({ resolve(specifier, context, next) {
        if (/^(srvx.*|find-my-way|node:sqlite|node:http)$/.test(specifier))
          throw new Error(specifier + ' is imported')
        return next(specifier, context)
      } })`
    const hook = `data:text/javascript,${encodeURIComponent(forbidding)}`
    const say = (...argv: readonly string[]): ReturnType<typeof spawnSync> =>
      spawnSync(process.execPath, ['--import', hook, bin, ...argv], { encoding: 'utf8' })
    for (const argv of [['--help'], ['run', '--help'], ['--version']])
      assert.equal(say(...argv).status, 0)
    const { status, stderr } = say('topics')
    assert.equal(status, 1)
    assert.match(String(stderr), /node:sqlite is imported/)
  })
})

test('docs/cli.md has every command, every flag and every exit code', async () => {
  const page = readFileSync(join(root, 'docs/cli.md'), 'utf8')
  for (const name of COMMANDS) {
    assert.match(page, new RegExp(`^\\$ throughline ${name}`, 'm'))
    const { out } = await at.run([name, '--help'])
    for (const [, flag = ''] of out.matchAll(/^ {2}(?:-h, )?(--[a-z]+)/gm))
      assert.ok(page.includes(`\`${flag}`), `${name} ${flag}`)
  }
  for (const { code, meaning } of Object.values(EXIT_CODES))
    assert.ok(page.includes(`| ${code} | ${meaning} |`), meaning)
})

test('the version is that of the package', async () => {
  const own = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  for (const flag of ['--version', '-V'])
    assert.deepEqual(await at.run([flag]), { code: 0, out: `${own.version}\n`, err: '' })
})

suite('wrong usage', () => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /^Usage: throughline/],
    [['topcs'], /unknown command 'topcs'\n\(Did you mean topics\?\)/],
    [['help', 'frob'], /^error: unknown command 'frob'\n/],
    [['frob', '--help'], /^error: unknown command 'frob'\n/],
    [['help', 'topcs'], /^error: unknown command 'topcs'\n\(Did you mean topics\?\)/],
    [['topics', '--jsn'], /unknown option '--jsn'\n\(Did you mean --json\?\)/],
    [['topics', 'more'], /too many arguments/],
    [['log'], /missing required argument 'topic'/],
    [['chain'], /missing required argument 'event'/],
    [['run'], /missing required argument 'file'/],
    [['pause'], /missing required argument 'service'/],
    [['topics', '--data'], /argument missing/],
    [['log', 'x', '--limit', 'many'], /'many' is invalid.*It must be a whole number/],
    [['log', 'x', '--from', '1.5'], /'1\.5' is invalid/],
    [['log', 'x', '--partition=-1'], /'-1' is invalid/],
    [['archive', 'x', '--to', 'y'], /required option '--before <position>' not specified/],
    [['run', 'x', '--port', '1e9'], /'1e9' is invalid/],
  ]
  for (const [argv, expected] of cases)
    test(`throughline ${argv.join(' ')}`, async () => {
      const { code, out, err } = await at.run(argv)
      assert.deepEqual([code, out], [2, ''])
      assert.match(err, expected)
      const [name, ...rest] = argv
      const asJson = await at.run([...(name === undefined ? [] : [name]), '--json', ...rest])
      assert.equal(asJson.out, '')
      assert.equal(asJson.code, 2)
      const { error } = JSON.parse(asJson.err) as { error: Readonly<Record<string, unknown>> }
      assert.deepEqual(Object.keys(error), ['code', 'message', 'issues', 'ids'])
      assert.equal(error['code'], 'OPTION_INVALID')
      assert.doesNotMatch(
        String(error['message']),
        /^error: /,
        'the code already says that it is an error',
      )
    })
})

test('missing data is reported as one JSON object on stderr', async () => {
  for (const argv of [['topics'], ['verify'], ['log', 'x'], ['chain', 'x'], ['pause', 'x']]) {
    const { code, out, err } = await at.run([...argv, '--json'])
    assert.deepEqual([code, out], [1, ''])
    const { error } = JSON.parse(err) as { error: { code: string; message: string } }
    assert.equal(error.code, 'DATA_MISSING')
    assert.match(error.message, /--data DIRECTORY/)
  }
})

test('a foreign data directory is refused and not changed', async () => {
  const other = createTestDirectory()
  writeFileSync(join(other.root, 'throughline.json'), '{"made":"something else"}')
  const { code, err } = await other.run(['topics', '--data', '.'])
  assert.equal(code, 1)
  assert.match(err, /^DATA_FOREIGN: /)
  other.remove()
})

suite('init', () => {
  test('writes a project and prints the next steps', async () => {
    const { code, out } = await at.run(['init', 'reading room'])
    assert.equal(code, 0)
    assert.match(out, /^ {2}package\.json$/m)
    assert.match(out, /^ {2}cd "reading room"\n {2}npm install\n {2}npm test\n {2}npm start$/m)
    assert.ok(existsSync(join(at.root, 'reading room/service.ts')))
    // In a clone, the repo has to pack its file first.
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      version: string
    }
    const isPacked = existsSync(join(root, `dist/throughline-${version}.tgz`))
    assert.equal(/^ {2}npm --prefix .* run pack$/m.test(out), !isPacked)
  })

  test('overwrites no file', async () => {
    const { code, err } = await at.run(['init', 'reading room'])
    assert.equal(code, 2)
    assert.match(err, /^OPTION_INVALID: [^]*main\.ts: already exists/)
  })

  test('takes a package name, and writes into the current directory', async () => {
    const empty = createTestDirectory()
    const { directory, files } = (await empty.runJson('init', '--name', 'library')) as {
      directory: string
      files: readonly string[]
    }
    assert.equal(directory, empty.root)
    assert.ok(files.includes('main.ts'))
    const manifest = JSON.parse(readFileSync(join(empty.root, 'package.json'), 'utf8')) as object
    assert.equal((manifest as { name: string }).name, 'library')
    empty.remove()
  })

  test('--js needs the built package', async () => {
    // Only the built package has the JavaScript templates.
    const { code, err } = await at.run(['init', 'js', '--js'])
    assert.equal(code, 2)
    assert.match(err, /only the built package has the javascript templates/)
  })
})
