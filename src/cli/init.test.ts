import assert from 'node:assert/strict'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { after, before, beforeEach, suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Fault } from 'throughline'
import { init } from './init.ts'

const FILES = [
  '.gitignore',
  'README.md',
  'contracts.ts',
  'main.ts',
  'package.json',
  'service.test.ts',
  'service.ts',
  'tsconfig.json',
]

interface Manifest {
  readonly name: string
  readonly version: string
  readonly scripts: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly engines: Readonly<Record<string, string>>
}
const manifestIn = (path: string | URL): Manifest => JSON.parse(readFileSync(path, 'utf8'))
const own = manifestIn(new URL('../../package.json', import.meta.url))

suite('a new project', () => {
  let root = ''
  let count = 0
  let directory = ''
  before(() => (root = mkdtempSync(join(tmpdir(), 'throughline init ')))) // with a space
  after(() => rmSync(root, { recursive: true }))
  beforeEach(() => (directory = join(root, `Project ${(count += 1)}`)))

  test('is written into a directory that is created for it', async () => {
    assert.deepEqual(await init(directory), FILES)
    assert.deepEqual(readdirSync(directory).toSorted(), FILES)
    const main = readFileSync(new URL('init/typescript/main.ts', import.meta.url), 'utf8')
    assert.equal(readFileSync(join(directory, 'main.ts'), 'utf8'), main)
  })

  test('pins this version, and the dependencies that it is tested with', async () => {
    await init(directory)
    const manifest = manifestIn(join(directory, 'package.json'))
    const { zod, typescript, '@types/node': node } = own.devDependencies
    const file = fileURLToPath(
      new URL(`../../dist/throughline-${own.version}.tgz`, import.meta.url),
    )
    // No registry has the package: a version alone could install a stranger's package of that name.
    const throughline = `file:${relative(directory, file)}`
    assert.deepEqual(manifest.dependencies, { throughline, zod })
    assert.deepEqual(manifest.devDependencies, { typescript, '@types/node': node })
    assert.deepEqual(manifest.engines, own.engines)
    assert.deepEqual(manifest.scripts, { start: 'node main.ts', test: 'node --test', check: 'tsc' })
  })

  test('has the given name, or the name of its directory', async () => {
    await init(directory)
    assert.equal(manifestIn(join(directory, 'package.json')).name, `project-${count}`)
    await init(join(directory, 'inner'), { name: 'reading-room' })
    assert.equal(manifestIn(join(directory, 'inner/package.json')).name, 'reading-room')
    await init(join(directory, '書庫'))
    assert.equal(manifestIn(join(directory, '書庫/package.json')).name, 'reading-room')
  })

  test('leaves the other files of a directory alone', async () => {
    await init(join(directory, 'inner'))
    assert.deepEqual(await init(directory), FILES)
    assert.ok(existsSync(join(directory, 'inner/main.ts')))
  })

  test('overwrites nothing: it reports every existing file, and writes none', async () => {
    await init(directory)
    writeFileSync(join(directory, 'main.ts'), 'mine')
    rmSync(join(directory, 'service.ts'))
    await assert.rejects(init(directory), (fault) => {
      assert.ok(fault instanceof Fault)
      assert.equal(fault.code, 'OPTION_INVALID')
      const inTheWay = FILES.filter((file) => file !== 'service.ts' && file !== 'package.json')
      assert.deepEqual(
        fault.issues.map(({ path }) => path),
        inTheWay,
      )
      return true
    })
    assert.equal(readFileSync(join(directory, 'main.ts'), 'utf8'), 'mine')
    assert.equal(existsSync(join(directory, 'service.ts')), false)
  })

  test('keeps the entries of an existing package.json, and adds the missing ones', async () => {
    mkdirSync(directory)
    const path = join(directory, 'package.json')
    const scripts = { test: 'echo "Error: no test specified" && exit 1', start: 'node mine.js' }
    const dependencies = { throughline: 'file:../throughline.tgz', zod: '4.6.0', left: '1.0.0' }
    writeFileSync(path, JSON.stringify({ name: 'mine', type: 'commonjs', scripts, dependencies }))
    await init(directory)
    const manifest = manifestIn(path) as Manifest & { readonly type: string }
    assert.deepEqual(manifest.dependencies, dependencies)
    assert.deepEqual([manifest.name, manifest.type], ['mine', 'module'])
    const { start, test } = manifest.scripts
    assert.deepEqual([start, test], ['node mine.js', 'node --test'])
    assert.ok(manifest.devDependencies['typescript'])
  })

  test('is not written next to a package.json that cannot be read', async () => {
    mkdirSync(directory)
    for (const text of ['{', '[]', 'null']) {
      writeFileSync(join(directory, 'package.json'), text)
      await assert.rejects(init(directory), /OPTION_INVALID.*package\.json: cannot be read/s)
      assert.deepEqual(readdirSync(directory), ['package.json'])
    }
  })

  test('is refused with an invalid package name', async () => {
    for (const name of ['', 'Big', 'a b', '../up', '.hidden', 'x'.repeat(215)])
      await assert.rejects(init(directory, { name }), /OPTION_INVALID.*name: must be/s)
    assert.equal(existsSync(directory), false)
  })

  test('is refused at a path that is not a directory', async () => {
    writeFileSync(directory, 'a file')
    await assert.rejects(init(directory), /OPTION_INVALID.*is not a directory/s)
  })
})
