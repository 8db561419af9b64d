// Data directories of former versions as they lie in the repo: each file compressed.
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync, gzipSync } from 'node:zlib'
import type { Content } from './read.ts'

/** What was made by the version that first had format 2, which is 0.1.0. */
export const FORMAT_2 = fileURLToPath(new URL('2/', import.meta.url))

/** What was made by the last version that had format 3, before pages of held events. */
export const FORMAT_3 = fileURLToPath(new URL('3/', import.meta.url))

/** What is known of frozen data. */
export interface Expected {
  /** When nobody touched it any more, in milliseconds since 1970. */
  readonly at: number
  /** What can be read of it. */
  readonly content: Content
  /** What lies on the disk, by name: see `names.ts`. */
  readonly names: readonly string[]
}

export function expectedOf(frozen: string): Expected {
  return JSON.parse(readFileSync(join(frozen, 'expected.json'), 'utf8')) as Expected
}

/** The files below a directory, compressed into another one. */
export function freeze(from: string, to: string): void {
  for (const name of globSync('**/*', { cwd: from, withFileTypes: true })) {
    if (!name.isFile()) continue
    const path = join(name.parentPath, name.name)
    const frozen = join(to, `${path.slice(from.length)}.gz`)
    mkdirSync(dirname(frozen), { recursive: true })
    writeFileSync(frozen, gzipSync(readFileSync(path), { level: 9 }))
  }
}

/** The files that `freeze` was given, in a new directory. */
export function thaw(frozen: string, to: string): void {
  for (const name of globSync('**/*.gz', { cwd: frozen })) {
    const path = join(to, name.slice(0, -'.gz'.length))
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    writeFileSync(path, gunzipSync(readFileSync(join(frozen, name))), { mode: 0o600 })
  }
}
