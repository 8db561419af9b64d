// The package.json of a project that `init` creates or extends.
import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Fault } from '../base/errors/fault.ts'

export const MANIFEST = 'package.json'

/** The dependencies of a new project besides this package, pinned to tested versions. */
const RUNTIME_DEPENDENCIES = { zod: '4.6.7' } as const
const TYPE_DEPENDENCIES = { typescript: '7.0.2', '@types/node': '24.19.2' } as const

/** The placeholder test script of `npm init`. */
const NO_TEST = /no test specified/

interface Manifest {
  readonly [name: string]: unknown
  readonly scripts?: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}

/**
 * The text of a project's package.json. An existing one keeps its entries, except for `type`, which
 * becomes `module`, and the placeholder test of npm.
 *
 * @throws Fault `OPTION_INVALID` for a package.json that cannot be read
 */
export function manifestIn(directory: string, name: string, isJavaScript: boolean): string {
  const known = readManifest(join(directory, MANIFEST))
  const scripts = {
    start: isJavaScript ? 'node main.js' : 'node main.ts',
    test: 'node --test',
    ...(isJavaScript ? {} : { check: 'tsc' }),
  }
  const ownScripts = Object.entries(known.scripts ?? {}).filter(
    ([, script]) => !NO_TEST.test(script),
  )
  const own = ownManifest()
  // An existing dependency says where the package comes from.
  const throughline = known.dependencies?.[PACKAGE] ?? packageSpec(own.version, directory)
  const manifest: Manifest = {
    name,
    version: '0.1.0',
    private: true,
    ...known,
    type: 'module',
    scripts: { ...scripts, ...Object.fromEntries(ownScripts) },
    dependencies: { throughline, ...RUNTIME_DEPENDENCIES, ...known.dependencies },
    ...(isJavaScript
      ? {}
      : { devDependencies: { ...TYPE_DEPENDENCIES, ...known.devDependencies } }),
    engines: known['engines'] ?? own.engines,
  }
  return `${JSON.stringify(manifest, undefined, 2)}\n`
}

function readManifest(path: string): Manifest {
  if (!existsSync(path)) return {}
  try {
    const read: unknown = JSON.parse(readFileSync(path, 'utf8'))
    if (typeof read === 'object' && read !== null && !Array.isArray(read)) return read as Manifest
  } catch (cause) {
    throw unreadable(cause)
  }
  throw unreadable()
}

function unreadable(cause?: unknown): Fault {
  const issues = [{ path: MANIFEST, message: 'cannot be read: correct it or move it' }]
  return new Fault('OPTION_INVALID', { detail: 'init', issues, cause })
}

const ownDirectory = fileURLToPath(new URL('../..', import.meta.url))

function ownManifest(): { readonly version: string; readonly engines: object } {
  return JSON.parse(readFileSync(join(ownDirectory, MANIFEST), 'utf8')) as ReturnType<
    typeof ownManifest
  >
}

const PACKAGE = 'throughline'

/**
 * The version specifier of this package for a project: the tgz file that it was installed from, since
 * no registry has it. A clone of the repo packs that file itself.
 *
 * @throws Fault `OPTION_INVALID` if the file cannot be determined
 */
function packageSpec(version: string, directory: string): string {
  const own = resolve(ownDirectory)
  const modules = dirname(own)
  if (basename(modules) !== 'node_modules')
    return fileSpec(directory, join(own, 'dist', `${PACKAGE}-${version}.tgz`))
  const project = dirname(modules)
  const { dependencies, devDependencies } = readManifest(join(project, MANIFEST))
  const spec = dependencies?.[PACKAGE] ?? devDependencies?.[PACKAGE]
  if (spec === undefined) throw unknownOrigin()
  if (spec.startsWith(FILE)) return fileSpec(directory, resolve(project, spec.slice(FILE.length)))
  return spec
}

const FILE = 'file:'

/** A relative path, so that the project can move together with the file. */
function fileSpec(directory: string, path: string): string {
  return `${FILE}${relative(resolve(directory), path).replaceAll('\\', '/')}`
}

function unknownOrigin(): Fault {
  const message =
    'the file that it was installed from is unknown, and no registry has it: run ' +
    'npx --yes --package ./FILE.tgz throughline init'
  const issues = [{ path: PACKAGE, message }]
  return new Fault('OPTION_INVALID', { detail: 'init', issues })
}

/** The repo that still has to pack the file that a project depends on, if any. */
export function unpackedRepo(directory: string): string | undefined {
  const spec = readManifest(join(directory, MANIFEST)).dependencies?.[PACKAGE] ?? ''
  const isThere = !spec.startsWith(FILE) || existsSync(resolve(directory, spec.slice(FILE.length)))
  return isThere ? undefined : resolve(ownDirectory)
}
