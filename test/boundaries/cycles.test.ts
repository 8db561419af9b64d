import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { SourceFile } from './modules.ts'
import { importCycles } from './cycles.ts'
import { sourceFiles } from './source-files.ts'

test('no files import each other in a cycle', () => {
  assert.deepEqual(importCycles(sourceFiles()), [])
})

suite('the check of cycles', () => {
  const file = (path: string, ...imports: readonly string[]): SourceFile => {
    return { path, text: imports.map((each) => `import { x } from '${each}'\n`).join('') }
  }

  test('finds two files that import each other', () => {
    const files = [
      file('src/a.ts', './b.ts'),
      file('src/b.ts', './a.ts'),
      file('src/c.ts', './a.ts'),
    ]
    assert.deepEqual(importCycles(files), [['src/a.ts', 'src/b.ts']])
  })

  test('finds a cycle through another folder, by types alone', () => {
    const types: SourceFile = { path: 'src/x/b.ts', text: `export type { C } from '../c.ts'` }
    const files = [file('src/a.ts', './x/b.ts'), types, file('src/c.ts', './a.ts')]
    assert.deepEqual(importCycles(files), [['src/a.ts', 'src/c.ts', 'src/x/b.ts']])
  })

  test('finds a file that imports itself', () => {
    assert.deepEqual(importCycles([file('src/a.ts', './a.ts')]), [['src/a.ts']])
  })

  test('keeps two cycles apart, and finds none in a diamond', () => {
    const diamond = [
      file('src/e.ts', './f.ts', './g.ts'),
      file('src/f.ts', './h.ts'),
      file('src/g.ts', './h.ts'),
      file('src/h.ts'),
    ]
    const pairs = [
      file('src/a.ts', './b.ts'),
      file('src/b.ts', './a.ts'),
      file('src/c.ts', './d.ts'),
      file('src/d.ts', './c.ts'),
    ]
    assert.deepEqual(importCycles([...diamond, ...pairs]), [
      ['src/a.ts', 'src/b.ts'],
      ['src/c.ts', 'src/d.ts'],
    ])
  })
})
