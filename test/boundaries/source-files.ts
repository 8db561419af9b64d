// The source files of the repository, as the checks of imports read them.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { SourceFile } from './modules.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const patterns = [
  'src/**/*.{ts,tsx}',
  'examples/**/*.ts',
  'tools/**/*.ts',
  'test/**/*.ts',
  'bench/**/*.ts',
]

export function sourceFiles(): readonly SourceFile[] {
  return globSync(patterns, { cwd: root })
    .map((path) => path.replaceAll('\\', '/'))
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
}
