import { existsSync, statSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Issue } from '../base/errors/fault.ts'
import { Fault } from '../base/errors/fault.ts'
import { MANIFEST, manifestIn } from './manifest.ts'

export interface InitOptions {
  /** The name of the new package. Default: made from the directory's name. */
  readonly name?: string
  /** Writes JavaScript instead of TypeScript. Only the built package has these templates. */
  readonly isJavaScript?: boolean
}

const NAME = /^[a-z0-9][a-z0-9._-]{0,213}$/
const FALLBACK_NAME = 'reading-room'
/** Templates that the package contains under another name, since npm would drop or run them. */
const PACKED_NAMES: Readonly<Record<string, string>> = {
  gitignore: '.gitignore',
  'service-test.js': 'service.test.js',
  'service-test.ts': 'service.test.ts',
}

/**
 * Writes a small project: a contract, a service with its test, and a program that starts it. Creates
 * the directory if necessary. Other files in it stay as they are; an existing package.json keeps its
 * entries and gets the missing ones. Returns the names of the written files, sorted.
 *
 * @throws Fault `OPTION_INVALID` for an invalid package name, a path that is not a directory, and
 * existing files, with one issue each; nothing is written then
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
  const issues: Issue[] = []
  if (!NAME.test(name))
    issues.push({ path: 'name', message: 'must be lower-case letters, digits, . _ and -' })
  if (existsSync(target) && !statSync(target).isDirectory())
    issues.push({ path: directory, message: 'is not a directory' })
  for (const file of names)
    if (existsSync(join(target, file)))
      issues.push({ path: file, message: 'already exists: move it, or name a new directory' })
  if (issues.length > 0) throw new Fault('OPTION_INVALID', { detail: directory, issues })

  const manifest = manifestIn(target, name, isJavaScript)
  await mkdir(target, { recursive: true })
  // `wx` never overwrites a file that was created since the check.
  for (const file of names)
    await writeFile(join(target, file), files.get(file) ?? '', { flag: 'wx' })
  await writeFile(join(target, MANIFEST), manifest)
  return [...names, MANIFEST].toSorted()
}

/** A valid package name made from the directory's name. */
function nameOf(directory: string): string {
  const words = basename(directory)
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
  return words.replaceAll(/^[._-]+|-+$/g, '').slice(0, 214) || FALLBACK_NAME
}

/** The files of the project: contents by name. */
async function filesOf(isJavaScript: boolean): Promise<ReadonlyMap<string, string>> {
  const language = isJavaScript ? 'javascript' : 'typescript'
  const templates = fileURLToPath(new URL(`init/${language}/`, import.meta.url))
  if (!existsSync(templates))
    throw new Fault('OPTION_INVALID', {
      detail: `only the built package has the ${language} templates`,
    })
  const files = new Map<string, string>()
  for (const file of await readdir(templates))
    files.set(PACKED_NAMES[file] ?? file, await readFile(join(templates, file), 'utf8'))
  return files
}
