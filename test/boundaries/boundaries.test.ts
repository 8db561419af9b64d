import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { SourceFile } from './modules.ts'
import { MODULES, importsOf, indexViolationsOf, risingParts, violationsOf } from './modules.ts'
import { sourceFiles } from './source-files.ts'

const files = sourceFiles()

test('every file imports only what its module may import', () => {
  assert.ok(files.length > 100)
  assert.deepEqual(violationsOf(files), [])
})

suite('sub-modules', () => {
  for (const folder of ['src/engine', 'src/backends/embedded'])
    test(`${folder}: every folder is one`, () => {
      const inside = files.map(({ path }) => path).filter((path) => path.startsWith(`${folder}/`))
      const names = inside.map((path) => path.slice(folder.length + 1).split('/'))
      const folders = new Set(
        names.flatMap(([name = '', ...rest]) => (rest.length > 0 ? [name] : [])),
      )
      const { parts = {} } = MODULES.find((module) => module.folder === folder) ?? {}
      assert.deepEqual([...folders].toSorted(), Object.keys(parts).toSorted())
    })

  test('may import only those below them, so that no cycle can arise', () => {
    assert.deepEqual(risingParts(), [])
  })

  test('with a rule that allows a cycle are found', () => {
    const module = { folder: 'src/x', imports: [], packages: [], parts: { a: ['b'], b: ['a'] } }
    assert.deepEqual(risingParts([module]), ['src/x/a may import b, which is not below it'])
  })
})

suite('an index of a sub-module exports', () => {
  test('only what files outside import', () => {
    assert.deepEqual(indexViolationsOf(files), [])
  })

  test('a name in vain, and the check finds it', () => {
    const module = {
      folder: 'src/x',
      imports: [],
      packages: [],
      parts: { a: [] },
      hasIndexes: true,
    }
    const index = { path: 'src/x/a/index.ts', text: `export { one, two } from './b.ts'` }
    const user = { path: 'src/y.ts', text: `import { one as first } from './x/a/index.ts'` }
    const complaints = ['src/x/a/index.ts exports two, which no file outside imports']
    assert.deepEqual(indexViolationsOf([index, user], [module]), complaints)
  })
})

suite('the check finds', () => {
  const planted: readonly (readonly [string, SourceFile, RegExp])[] = [
    [
      'a lower module that imports a higher one',
      { path: 'src/base/bad.ts', text: `import { start } from '../runtime/start.ts'` },
      /src\/base may not import from src\/runtime/,
    ],
    [
      'a type import that is not allowed',
      { path: 'src/rules/bad.ts', text: `import type { Unit } from '../ports/store.ts'` },
      /src\/rules may not import from src\/ports/,
    ],
    [
      'a backend that imports another one',
      { path: 'src/backends/embedded/bad.ts', text: `export * from '../memory/index.ts'` },
      /may not import from src\/backends\/memory/,
    ],
    [
      'a package that a module may not use',
      { path: 'src/engine/bad.ts', text: `import { readFileSync } from 'node:fs'` },
      /imports node:fs/,
    ],
    [
      'an import over several lines',
      { path: 'src/base/bad.ts', text: `import {\n  a,\n  b,\n} from '../engine/turn.ts'` },
      /may not import from src\/engine/,
    ],
    [
      'a dynamic import',
      { path: 'src/base/bad.ts', text: `const late = await import('zod')` },
      /imports zod/,
    ],
    [
      'an import for its side effects',
      { path: 'src/base/bad.ts', text: `import 'zod/mini'` },
      /imports zod\/mini/,
    ],
    [
      'an example that bypasses the entry points',
      { path: 'examples/shop/bad.ts', text: `import { memory } from '../../src/testing/index.ts'` },
      /examples\/shop may not import from src\/testing/,
    ],
    [
      'an import of a test or a tool',
      { path: 'src/base/bad.ts', text: `import { run } from '../../tools/test.ts'` },
      /may not import from tools/,
    ],
    [
      'a test that imports a module that is not allowed',
      { path: 'src/base/bad.test.ts', text: `import { start } from '../runtime/start.ts'` },
      /may not import from src\/runtime/,
    ],
    [
      'a sub-module that imports a higher one',
      {
        path: 'src/engine/rows/bad.ts',
        text: `import type { Holds } from '../failure/index.ts'`,
      },
      /src\/engine\/rows may not import from src\/engine\/failure/,
    ],
    [
      'a sub-module that imports a file beside it',
      { path: 'src/engine/plan/bad.ts', text: `import { runEngine } from '../engine.ts'` },
      /src\/engine\/plan may not import from the files beside it/,
    ],
    [
      'a sub-module that imports what its module may not',
      { path: 'src/engine/plan/bad.ts', text: `import { start } from '../../runtime/start.ts'` },
      /src\/engine may not import from src\/runtime/,
    ],
    [
      'an import past the index of a sub-module',
      { path: 'src/control/bad.ts', text: `import type { Plan } from '../engine/plan/plan.ts'` },
      /must import src\/engine\/plan\/index.ts/,
    ],
    [
      'an import past the index of a sub-module in its own module',
      { path: 'src/engine/consumer/bad.ts', text: `import type { Plan } from '../plan/plan.ts'` },
      /must import src\/engine\/plan\/index.ts/,
    ],
    ['a file in no module', { path: 'lib/bad.ts', text: '' }, /is in no module/],
  ]
  for (const [name, file, complaint] of planted)
    test(name, () => {
      const complaints = violationsOf([...files, file])
      assert.equal(complaints.length, 1, complaints.join('\n'))
      assert.match(complaints[0] ?? '', complaint)
    })

  for (const folder of ['src/runtime', 'src/engine/plan'])
    test(`a module without files: ${folder}`, () => {
      const inside = files.filter(({ path }) => !path.startsWith(`${folder}/`))
      assert.ok(violationsOf(inside).includes(`${folder} is a module without files`))
    })
})

test('text that only looks like an import is ignored', () => {
  const text = `const text = "import x from 'y'"\n// import z from 'z'\nexport const from = ['a']`
  assert.deepEqual(importsOf(text), [])
})
