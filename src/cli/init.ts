import { existsSync, statSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Complaint } from '../base/fault.ts'
import { Fault } from '../base/fault.ts'
import { MANIFEST, manifestIn } from './manifest.ts'

export interface InitOptions {
  /** The name of the new package. Default: made from the directory's name. */
  readonly name?: string
  /** JavaScript in place of TypeScript. Only in the built package: it is made from TypeScript. */
  readonly isJavaScript?: boolean
}

const NAME = /^[a-z0-9][a-z0-9._-]{0,213}$/
const FALLBACK_NAME = 'reading-room'
/** A package carries no file of git and no tests; these are the names that it carries in their place. */
const NAMES: Readonly<Record<string, string>> = {
  gitignore: '.gitignore',
  'service-test.js': 'service.test.js',
  'service-test.ts': 'service.test.ts',
}

/**
 * Writes a small project that runs: a contract, a service with its test, and the program that
 * starts it. Makes the directory when it is missing, and leaves everything else in it alone; a
 * manifest that is there keeps what it says, and gets what it lacks.
 * Answers the names of the files written, in order.
 *
 * @throws Fault `OPTION_INVALID` for a name that no package can have, a path that is no directory,
 * and files that are there already, with one complaint each; nothing was written then
 */
export async function init(
  directory: string,
  options: InitOptions = {},
): Promise<readonly string[]> {
  const { isJavaScript = false } = options
  const target = resolve(directory)
  const name = options.name ?? nameOf(target)
  const files = await filesOf(isJavaScript)
  const names = [...files.keys()].toSorted()
  const complaints: Complaint[] = []
  if (!NAME.test(name))
    complaints.push({ path: 'name', message: 'must be lower-case letters, digits, . _ and -' })
  if (existsSync(target) && !statSync(target).isDirectory())
    complaints.push({ path: directory, message: 'is no directory' })
  for (const file of names)
    if (existsSync(join(target, file)))
      complaints.push({ path: file, message: 'is there already: move it, or name a new directory' })
  if (complaints.length > 0) throw new Fault('OPTION_INVALID', { detail: directory, complaints })

  const manifest = manifestIn(target, name, isJavaScript)
  await mkdir(target, { recursive: true })
  // Whoever made a file since then keeps it.
  for (const file of names)
    await writeFile(join(target, file), files.get(file) ?? '', { flag: 'wx' })
  await writeFile(join(target, MANIFEST), manifest)
  return [...names, MANIFEST].toSorted()
}

/** The directory's name, as far as a package can have it. */
function nameOf(directory: string): string {
  const words = basename(directory)
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
  return words.replaceAll(/^[._-]+|-+$/g, '').slice(0, 214) || FALLBACK_NAME
}

/** What the project consists of: contents by name. */
async function filesOf(isJavaScript: boolean): Promise<ReadonlyMap<string, string>> {
  const language = isJavaScript ? 'javascript' : 'typescript'
  const templates = fileURLToPath(new URL(`init/${language}/`, import.meta.url))
  if (!existsSync(templates))
    throw new Fault('OPTION_INVALID', { detail: `${language} comes with the built package only` })
  const files = new Map<string, string>()
  for (const file of await readdir(templates))
    files.set(NAMES[file] ?? file, await readFile(join(templates, file), 'utf8'))
  return files
}
