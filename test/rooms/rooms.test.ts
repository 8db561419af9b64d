import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { SourceFile } from './rooms.ts'
import { complaintsOf, importsOf } from './rooms.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const patterns = [
  'src/**/*.{ts,tsx}',
  'examples/**/*.ts',
  'tools/**/*.ts',
  'test/**/*.ts',
  'bench/**/*.ts',
]
const files: readonly SourceFile[] = globSync(patterns, { cwd: root })
  .map((path) => path.replaceAll('\\', '/'))
  .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))

test('every file imports only what its room may import', () => {
  assert.ok(files.length > 100)
  assert.deepEqual(complaintsOf(files), [])
})

suite('the check finds', () => {
  const planted: readonly (readonly [string, SourceFile, RegExp])[] = [
    [
      'a lower room that imports a higher one',
      { path: 'src/base/bad.ts', text: `import { start } from '../runtime/start.ts'` },
      /src\/base may not import from src\/runtime/,
    ],
    [
      'a type that crosses a wall',
      { path: 'src/rules/bad.ts', text: `import type { Unit } from '../ports/store.ts'` },
      /src\/rules may not import from src\/ports/,
    ],
    [
      'a backend that imports another one',
      { path: 'src/backends/embedded/bad.ts', text: `export * from '../memory/index.ts'` },
      /may not import from src\/backends\/memory/,
    ],
    [
      'a package that a room may not use',
      { path: 'src/engine/bad.ts', text: `import { readFileSync } from 'node:fs'` },
      /imports node:fs/,
    ],
    [
      'an import over several lines',
      { path: 'src/base/bad.ts', text: `import {\n  a,\n  b,\n} from '../engine/turn.ts'` },
      /may not import from src\/engine/,
    ],
    [
      'an import at run time',
      { path: 'src/base/bad.ts', text: `const late = await import('zod')` },
      /imports zod/,
    ],
    [
      'an import for its effects',
      { path: 'src/base/bad.ts', text: `import 'zod/mini'` },
      /imports zod\/mini/,
    ],
    [
      'an example that goes around the doors',
      { path: 'examples/shop/bad.ts', text: `import { memory } from '../../src/testing/index.ts'` },
      /examples\/shop may not import from src\/testing/,
    ],
    [
      'anything that imports a test or a tool',
      { path: 'src/base/bad.ts', text: `import { run } from '../../tools/test.ts'` },
      /may not import from tools/,
    ],
    [
      'a test that leaves its room for another one',
      { path: 'src/base/bad.test.ts', text: `import { start } from '../runtime/start.ts'` },
      /may not import from src\/runtime/,
    ],
    ['a file in no room', { path: 'lib/bad.ts', text: '' }, /is in no room/],
  ]
  for (const [name, file, complaint] of planted)
    test(name, () => {
      const complaints = complaintsOf([...files, file])
      assert.equal(complaints.length, 1, complaints.join('\n'))
      assert.match(complaints[0] ?? '', complaint)
    })

  test('a room without content', () => {
    const inside = files.filter(({ path }) => !path.startsWith('src/runtime/'))
    assert.ok(complaintsOf(inside).includes('src/runtime is a room without content'))
  })
})

test('text that only looks like an import is none', () => {
  const text = `const text = "import x from 'y'"\n// import z from 'z'\nexport const from = ['a']`
  assert.deepEqual(importsOf(text), [])
})
