// The npm packages of the peers. They are installed on first use, outside of the sources. The rest of
// the repo does not have them, so each peer declares the types that it uses.
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

/** A module inside the install directory, from which the packages resolve. */
const loader = join(place, 'load.mjs')
const LOADER = 'export const load = (name) => import(name)\n'

/** Installs all packages, unless they match the lock file already. */
export async function installPackages(): Promise<void> {
  const wanted = readFileSync(join(here, LOCK), 'utf8')
  if (existsSync(loader) && readFileSync(join(place, LOCK), 'utf8') === wanted) return
  process.stderr.write('Installing the packages of the peers.\n')
  mkdirSync(place, { recursive: true })
  for (const file of FILES) cpSync(join(here, file), join(place, file))
  // npm, and native code that it compiles, must use the Node.js that will run the peers.
  const node = dirname(process.execPath)
  const env = {
    ...process.env,
    PATH: `${node}${delimiter}${process.env['PATH'] ?? ''}`,
    npm_config_nodedir: dirname(node),
  }
  const options = { cwd: place, env, timeout: INSTALL_MS_MAX, shell: process.platform === 'win32' }
  // Not `npm ci`, which refuses a lock file with optional packages of platforms that do not exist.
  await promisify(execFile)('npm', ['install', '--no-save', '--no-audit', '--no-fund'], options)
  writeFileSync(loader, LOADER)
}

/** The version of a package in the lock file. */
export function versionOf(name: string): string {
  const { packages } = JSON.parse(readFileSync(join(here, LOCK), 'utf8')) as {
    readonly packages: Readonly<Record<string, { readonly version?: string }>>
  }
  return packages[`node_modules/${name}`]?.version ?? ''
}

/** Loads an installed package, with the types that the peer declares. */
export async function packageOf<T>(name: string): Promise<T> {
  const { load } = (await import(pathToFileURL(loader).href)) as {
    readonly load: (name: string) => Promise<T>
  }
  return load(name)
}
