// The packages of the peers. They are installed when they are first wanted, outside of the sources,
// and are part of nothing else; so what is used of them is said here by small types of our own.
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { fileURLToPath, pathToFileURL } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const place = fileURLToPath(new URL('../../dist/bench/peers', import.meta.url))
const LOCK = 'package-lock.json'
const FILES = ['package.json', LOCK, '.npmrc'] as const
const INSTALL_MS_MAX = 600_000

/** From here the packages are found. */
const loader = join(place, 'load.mjs')
const LOADER = 'export const load = (name) => import(name)\n'

/** Installs all packages, where they are not there as the lock file says. */
export async function installPackages(): Promise<void> {
  const wanted = readFileSync(join(here, LOCK), 'utf8')
  if (existsSync(loader) && readFileSync(join(place, LOCK), 'utf8') === wanted) return
  process.stderr.write('Installing the packages of the peers.\n')
  mkdirSync(place, { recursive: true })
  for (const file of FILES) cpSync(join(here, file), join(place, file))
  // npm itself, and what it compiles, have to see the Node.js that the peers will run on.
  const node = dirname(process.execPath)
  const env = {
    ...process.env,
    PATH: `${node}${delimiter}${process.env['PATH'] ?? ''}`,
    npm_config_nodedir: dirname(node),
  }
  const options = { cwd: place, env, timeout: INSTALL_MS_MAX, shell: process.platform === 'win32' }
  // Not `ci`: that refuses a lock which names optional packages of platforms that nobody has built.
  await promisify(execFile)('npm', ['install', '--no-save', '--no-audit', '--no-fund'], options)
  writeFileSync(loader, LOADER)
}

/** The version of a package, as the lock has it. */
export function versionOf(name: string): string {
  const { packages } = JSON.parse(readFileSync(join(here, LOCK), 'utf8')) as {
    readonly packages: Readonly<Record<string, { readonly version?: string }>>
  }
  return packages[`node_modules/${name}`]?.version ?? ''
}

/** Loads an installed package, typed as far as it is used. */
export async function packageOf<T>(name: string): Promise<T> {
  const { load } = (await import(pathToFileURL(loader).href)) as {
    readonly load: (name: string) => Promise<T>
  }
  return load(name)
}
