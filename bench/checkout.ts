// Other versions of the engine, to be measured beside this one.
import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'

/** The root of this checkout. */
export const ROOT: string = fileURLToPath(new URL('..', import.meta.url))

/** Extracts a commit of this repository into a new directory, with the packages that are installed here. */
export function checkOut(commit: string, directory: string): string {
  mkdirSync(directory)
  const archive = join(directory, 'archive.tar')
  execFileSync('git', ['archive', '--output', archive, commit, 'src', 'package.json'], {
    cwd: ROOT,
  })
  execFileSync('tar', ['-xf', archive, '-C', directory])
  symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'))
  return directory
}
