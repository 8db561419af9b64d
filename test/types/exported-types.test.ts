// Users of the package can name every type in its signatures.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { unexportedTypes } from './exported-types.ts'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  exports: Readonly<Record<string, string>>
}

/** Emits the declarations of all entry points into a directory. */
function emit(files: readonly string[], outDir: string): void {
  const require = createRequire(import.meta.url)
  const { bin } = require('typescript/package.json') as { bin: { tsc: string } }
  const compiler = resolve(dirname(require.resolve('typescript/package.json')), bin.tsc)
  const config = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: {
      noEmit: false,
      declaration: true,
      emitDeclarationOnly: true,
      rootDir: join(root, 'src'),
      outDir,
      typeRoots: [join(root, 'node_modules/@types')],
    },
    include: [],
    files,
  }
  writeFileSync(join(outDir, 'tsconfig.json'), JSON.stringify(config))
  execFileSync(process.execPath, [compiler, '-p', outDir], { stdio: 'inherit' })
}

test('every type that a public signature uses is exported', () => {
  const outDir = mkdtempSync(join(tmpdir(), 'throughline-types-'))
  try {
    const files = Object.values(manifest.exports).map((path) => resolve(root, path))
    emit(files, outDir)
    const entries = files.map((path) =>
      join(outDir, relative(join(root, 'src'), path).replace(/\.ts$/, '.d.ts')),
    )
    assert.ok(entries.length >= 6)
    const found = unexportedTypes(entries).map(
      ({ path, name, usedBy }) => `${name} of ${relative(outDir, path)}, which ${usedBy} uses`,
    )
    assert.deepEqual(found, [])
  } finally {
    rmSync(outDir, { recursive: true, force: true })
  }
})

test('the check finds every type that is not exported, however it is reached', () => {
  const files: Readonly<Record<string, string>> = {
    '/index.d.ts': `
import type { Deep, Renamed as Local } from './inner.ts'
import type { Foreign } from 'zod'
export type { Shown } from './inner.ts'
export { type Aliased as Public } from './inner.ts'
export declare function call<T extends Bound>(given: Given, shown: Local): Promise<Answer<T>>
export declare const value: import('./inner.ts').InPlace & Foreign & Public & Computed<string>
interface Bound {}
interface Given extends Base { deep: Deep; own: <Answer>(a: Answer) => void }
interface Base {}
interface Answer<T> { t: T }
declare const SECRET: unique symbol
export interface Branded { readonly [SECRET]: Unseen }
interface Unseen {}
type Computed<T> = T extends Helper ? Found : never
type Helper = string | Given
interface Found {}
interface Unused {}
`,
    '/inner.d.ts': `
export interface Shown {}
export interface Aliased {}
export interface Renamed {}
export type Deep = { deeper: Deeper }
interface Deeper {}
export interface InPlace {}
`,
  }
  const read = (path: string): string => files[path] ?? ''
  const found = unexportedTypes(['/index.d.ts'], read).map(({ name }) => name)
  assert.deepEqual(found.toSorted(), [
    'Answer',
    'Base',
    'Bound',
    'Deep',
    'Deeper',
    'Found',
    'Given',
    'InPlace',
    'Renamed',
  ])
})
