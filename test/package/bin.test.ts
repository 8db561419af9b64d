import assert from 'node:assert/strict'
import { globSync, readFileSync, realpathSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { suite, test } from 'node:test'
import { inRepo, run } from './run-program.ts'

const bin = inRepo('src/cli/bin.mjs')
const { engines } = JSON.parse(readFileSync(inRepo('package.json'), 'utf8')) as {
  engines: { node: string }
}
const needed = engines.node.replace('>=', '')

function assertCured(version: string, ran: ReturnType<typeof run>): void {
  assert.equal(ran.status, 78)
  assert.equal(ran.stdout, '')
  const [first, ...cures] = ran.stderr.trimEnd().split('\n')
  assert.equal(first, `throughline needs Node.js ${needed} or newer, and this is ${version}.`)
  assert.match(cures.join('\n'), /nvm install 24\n.*nodejs\.org/s)
}

/** Runs the command with a faked Node.js version. */
const onVersion = (version: string): ReturnType<typeof run> => {
  const versions = `{ value: { ...process.versions, node: '${version}' } }`
  const pretend = `Object.defineProperty(process, 'versions', ${versions})`
  return run(inRepo('.'), process.execPath, '--import', `data:text/javascript,${pretend}`, bin)
}

suite('the command says how to get a newer Node.js', () => {
  for (const version of ['18.0.0', '20.20.2', '22.30.0', '24.14.9'])
    test(`on ${version}`, () => assertCured(version, onVersion(version)))

  const name = process.platform === 'win32' ? 'node.exe' : 'node'
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
  const nodes = new Set(
    folders.flatMap((folder) => globSync(join(folder, name))).map((path) => realpathSync(path)),
  )
  for (const path of nodes) {
    const version = run(inRepo('.'), path, '--version').stdout.trim().replace(/^v/, '')
    const [major = 0, minor = 0] = version.split('.').map(Number)
    const isOld = major < 24 || (major === 24 && minor < 15)
    if (isOld) test(`on a real ${version}`, () => assertCured(version, run('.', path, bin)))
  }
})

test('the command accepts the required version and newer ones', () => {
  for (const version of [`${needed}.0`, '24.21.0', '26.0.0'])
    assert.doesNotMatch(onVersion(version).stderr, /needs Node/)
})
