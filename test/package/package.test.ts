import assert from 'node:assert/strict'
import {
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { after, before, suite, test } from 'node:test'
import type { EntryPoint } from '../boundaries/exports.ts'
import type { Manifest, SourceManifest } from '../../tools/pack/manifest.ts'
import { manifestOf } from '../../tools/pack/manifest.ts'
import { inRepo, node, npm, root, run } from './run-program.ts'
import { startProject } from './start-project.ts'

interface Summary {
  readonly file: string
  readonly packedBytes: number
  readonly fileCount: number
}

const read = (path: string): string => readFileSync(path, 'utf8')
const readJson = (path: string): unknown => JSON.parse(read(path))
const own = readJson(inRepo('package.json')) as SourceManifest & {
  readonly devDependencies: Readonly<Record<string, string>>
}
const { zod } = own.devDependencies

/** The package is built and installed once, for all tests. */
const place = mkdtempSync(join(tmpdir(), 'throughline package '))
const project = join(place, 'project')
const installed = join(project, 'node_modules/throughline')
let packed: Summary
let installMs = 0

before(() => {
  packed = JSON.parse(node(root, 'tools/pack.ts', place, '--json')) as Summary
  mkdirSync(project)
  writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }\n')
  const began = performance.now()
  npm(project, 'install', packed.file, `zod@${zod}`)
  installMs = performance.now() - began
})
after(() => rmSync(place, { recursive: true }))

suite('the package', () => {
  const filesOf = (): readonly string[] =>
    globSync('**/*', { cwd: installed, withFileTypes: true, exclude: ['node_modules'] })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(installed.length + 1))
      .map((path) => path.replaceAll('\\', '/'))

  test('has no install scripts, and only the dependencies that it needs', () => {
    const manifest = readJson(join(installed, 'package.json')) as Manifest
    assert.deepEqual(Object.keys(manifest).toSorted(), [
      'bin',
      'dependencies',
      'description',
      'engines',
      'exports',
      'keywords',
      'license',
      'name',
      'type',
      'version',
    ])
    assert.deepEqual(manifest.dependencies, own.dependencies)
    assert.equal(manifest.version, own.version)
  })

  test('is not built with an unpinned dependency, or an entry point outside of src', () => {
    const loose = { ...own, dependencies: { srvx: '^1.0.0' } }
    assert.throws(() => manifestOf(loose), /srvx is not pinned/)
    const outside = { ...own, exports: { './shop': './examples/shop/main.ts' } }
    assert.throws(() => manifestOf(outside), /the entry point \.\/shop is not a source file/)
  })

  test('contains modules, the page, the command, templates and documents, but no tests', () => {
    const files = filesOf()
    assert.equal(files.length, packed.fileCount)
    const known = [
      /^(README\.md|LICENSE|CHANGELOG\.md|package\.json|bin\/throughline\.mjs)$/,
      /^dist\/(?!cli\/init\/|page\/)(?!.*\.test\.).+(\.d\.ts|\.js)$/,
      /^dist\/page\/(index\.html|.+\.(js|css|svg))$/,
      /^dist\/cli\/init\/typescript\/[\w-]+\.(ts|json)$/,
      /^dist\/cli\/init\/javascript\/[\w-]+\.js$/,
      /^dist\/cli\/init\/\w+\/(README\.md|gitignore)$/,
    ]
    const unknown = files.filter((file) => !known.some((pattern) => pattern.test(file)))
    assert.deepEqual(unknown, [])
  })

  test('contains every module of the repo, with its declaration', () => {
    const isOutside = /\.test\.ts$|^page\/|^cli\/init\//
    const modules = globSync('**/*.ts', { cwd: inRepo('src') })
      .map((path) => path.replaceAll('\\', '/'))
      .filter((path) => !isOutside.test(path))
      .map((path) => path.replace(/\.ts$/, ''))
    assert.ok(modules.length > 50)
    const files = new Set(filesOf())
    for (const module of modules)
      for (const ending of ['js', 'd.ts'])
        assert.ok(files.has(`dist/${module}.${ending}`), `dist/${module}.${ending}`)
  })

  test('contains no path of the build machine, and no import of TypeScript', () => {
    const said = [root.replace(/[\\/]$/, ''), homedir(), tmpdir(), 'file:///']
    for (const file of filesOf()) {
      const text = read(join(installed, file))
      for (const path of said) assert.ok(!text.includes(path), `${file} names ${path}`)
      if (/^dist\/(?!cli\/init\/).*\.(js|d\.ts)$/.test(file))
        assert.doesNotMatch(text, /(?:from|import\() ?['"]\.[^'"]*(?<!\.d)\.ts['"]/, file)
    }
  })

  test('passes publint', () => {
    const { status, stdout } = run(
      root,
      process.execPath,
      inRepo('node_modules/publint/src/cli.js'),
      packed.file,
      '--strict',
    )
    assert.equal(status, 0, stdout)
    assert.match(stdout, /All good/)
  })

  test('passes attw at every entry point', () => {
    const attw = inRepo('node_modules/@arethetypeswrong/cli/dist/index.js')
    const args = [attw, packed.file, '--profile', 'esm-only', '--format', 'json']
    const { status, stdout, stderr } = run(root, process.execPath, ...args)
    assert.equal(status, 0, stdout + stderr)
    const { analysis } = JSON.parse(stdout) as { analysis: { entrypoints: object } }
    assert.deepEqual(Object.keys(analysis.entrypoints), Object.keys(own.exports))
  })
})

suite('an installed package', () => {
  const importing = `for (const door of process.argv.slice(1))
    console.log(JSON.stringify([door, Object.keys(await import(door)).toSorted()]))`
  const [language, program = '', said] =
    /```(ts)\n([\s\S]*?)^```$\s+^```text\n([\s\S]*?)^```$/m
      .exec(read(inRepo('README.md')))
      ?.slice(1) ?? []

  test('installs within a minute', (t) => {
    t.diagnostic(`${Math.round(installMs)} ms, ${packed.packedBytes} bytes packed`)
    assert.ok(installMs < 60_000)
  })

  test('has the entry points and exports of the checked-in list', () => {
    const listed = readJson(inRepo('test/boundaries/exports.json')) as Record<string, EntryPoint>
    const doors = Object.keys(own.exports).map((door) => door.replace(/^\./, 'throughline'))
    const opened = node(project, '--input-type=module', '--eval', importing, ...doors)
    const expected = Object.keys(own.exports).map((door, at) =>
      JSON.stringify([doors[at], listed[door]?.values]),
    )
    assert.deepEqual(opened.trimEnd().split('\n'), expected)
  })

  test('refuses imports of other paths', () => {
    const { stderr } = run(
      project,
      process.execPath,
      '--input-type=module',
      '--eval',
      importing,
      'throughline/dist/index.js',
    )
    assert.match(stderr, /ERR_PACKAGE_PATH_NOT_EXPORTED/)
  })

  test('runs a measurement of the bench in a process of its own', () => {
    const measuring = `const { ENGINE_MEASUREMENTS, measureEngine } = await import(process.argv[1])
      const [sync] = ENGINE_MEASUREMENTS
      console.log((await measureEngine(sync, process.argv[2], 0.1)).perSecond > 0)`
    const module = join(installed, 'dist/bench/engine.js')
    const said = node(project, '--input-type=module', '--eval', measuring, module, place)
    assert.equal(said, 'true\n')
  })

  test('type-checks the program of the README', () => {
    assert.equal(language, 'ts')
    mkdirSync(join(project, 'typescript'))
    writeFileSync(join(project, 'typescript/main.ts'), program)
    const compilerOptions = {
      target: 'es2024',
      lib: ['es2024', 'esnext'],
      module: 'nodenext',
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      // Also checks the declarations of the package.
      skipLibCheck: false,
      types: ['node'],
      typeRoots: [inRepo('node_modules/@types')],
    }
    writeFileSync(
      join(project, 'typescript/tsconfig.json'),
      JSON.stringify({ compilerOptions, include: ['*.ts'] }),
    )
    node(project, inRepo('node_modules/typescript/bin/tsc'), '-p', 'typescript')
  })

  test('runs the program of the README as TypeScript', () => {
    assert.equal(node(join(project, 'typescript'), 'main.ts'), said)
  })

  test('runs the handler of docs/rules/handler.md in a thread', () => {
    const directory = join(project, 'threads')
    mkdirSync(directory)
    const document = read(inRepo('docs/rules/handler.md'))
    const [, hashing = ''] = /```ts\n(\/\/ hashing\.ts\n[\s\S]*?)^```$/m.exec(document) ?? []
    writeFileSync(join(directory, 'hashing.ts'), hashing)
    const main = `import { start } from 'throughline'
      import { memory } from 'throughline/testing'
      import { users, Users } from './hashing.ts'
      const engine = { threadsMax: 1, ruleBudgetMs: 60 }
      await using app = await start([users], memory(), { engine, onSlowRule: () => undefined })
      await app.send(Users.Register({ userId: 'ada', phrase: 'open' }))
      await app.settled()
      for (const { consumer, completed } of await app.status()) console.log(consumer, completed)
      const { slowRules } = await app.health()
      console.log(slowRules.some(({ consumer }) => consumer === 'users/hashing'))`
    writeFileSync(join(directory, 'main.ts'), main)
    assert.equal(node(directory, 'main.ts'), 'users/user 2\nusers/hashing 1\nfalse\n')
  })

  test('runs the program of the README as JavaScript', () => {
    const [from, to] = [join(project, 'typescript'), join(project, 'javascript')]
    node(root, '--disable-warning=ExperimentalWarning', 'tools/pack/javascript.ts', from, to)
    assert.equal(node(to, 'main.js'), said)
  })
})

suite('throughline init', () => {
  test('writes a project that installs, passes its tests and its type check, and runs', async () => {
    // In an empty directory, with the package as a file.
    const directory = join(place, 'room')
    mkdirSync(directory)
    npm(directory, 'install', packed.file)
    node(directory, join('node_modules/throughline', 'bin/throughline.mjs'), 'init')
    npm(directory, 'install')
    assert.match(npm(directory, 'test'), /pass 4[\s\S]*fail 0/)
    npm(directory, 'run', 'check')
    await startProject(directory, 'main.ts')
    // Commands refuse a module that starts a system.
    const say = (...argv: readonly string[]): ReturnType<typeof run> =>
      run(directory, process.execPath, 'node_modules/throughline/bin/throughline.mjs', ...argv)
    const projection = 'reading-room/open-loans'
    for (const argv of [
      ['rebuild', 'main.ts', projection],
      ['run', 'main.ts'],
      ['contracts', '--check', 'main.ts'],
    ]) {
      const { status, stdout, stderr } = say(...argv)
      assert.deepEqual([status, stdout], [2, ''])
      assert.match(stderr, /main\.ts: calls start when it is imported/)
    }
    assert.match(
      say('rebuild', 'service.ts', projection).stdout,
      /^Rebuilt reading-room\/open-loans: /,
    )
    assert.match(say('contracts', '--check', 'service.ts').stdout, /^Compatible with/)
  })

  test('works as docs/first-steps.md says, with the file of the package', () => {
    const [, command = ''] =
      /^npx (.+ init lending)$/m.exec(read(inRepo('docs/first-steps.md'))) ?? []
    const argv = command.split(' ')
    const ran = run(place, 'npx', ...argv)
    assert.equal(ran.status, 0, ran.stderr)
    const { dependencies } = readJson(join(place, 'lending/package.json')) as {
      dependencies: Record<string, string>
    }
    assert.equal(dependencies['throughline'], `file:../throughline-${own.version}.tgz`)
  })

  test('writes nothing if the file of the package is unknown', () => {
    const lone = join(place, 'lone')
    cpSync(join(project, 'node_modules'), join(lone, 'node_modules'), { recursive: true })
    const bin = join(lone, 'node_modules/throughline/bin/throughline.mjs')
    const { status, stderr } = run(lone, process.execPath, bin, 'init', 'room')
    assert.equal(status, 2)
    assert.match(
      stderr,
      /throughline: the file that it was installed from is unknown, and no registry has it/,
    )
    assert.deepEqual(globSync('room', { cwd: lone }), [])
  })

  test('writes a project in another directory that installs the same package', () => {
    node(project, join(installed, 'bin/throughline.mjs'), 'init', join(place, 'elsewhere'))
    const { dependencies } = readJson(join(place, 'elsewhere/package.json')) as {
      dependencies: Record<string, string>
    }
    const file = relative(join(place, 'elsewhere'), packed.file)
    assert.equal(dependencies['throughline'], `file:${file}`)
  })

  test('writes a JavaScript project that passes its tests and runs', async () => {
    // Inside a project that has the package and zod.
    const init = `const { init } = await import(process.argv[1])
      console.log(await init('room', { isJavaScript: true }))`
    const module = join(installed, 'dist/cli/init.js')
    node(project, '--input-type=module', '--eval', init, module)
    const directory = join(project, 'room')
    const files = globSync('*', { cwd: directory }).toSorted()
    assert.deepEqual(files, [
      'README.md',
      'contracts.js',
      'main.js',
      'package.json',
      'service.js',
      'service.test.js',
    ])
    assert.match(npm(directory, 'test'), /pass 4[\s\S]*fail 0/)
    assert.doesNotMatch(read(join(directory, 'README.md')), /\.ts\b/)
    await startProject(directory, 'main.js')
  })
})
