// Runs programs with the Node.js that runs the tests.
import { spawnSync } from 'node:child_process'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root: string = fileURLToPath(new URL('../..', import.meta.url))
export const inRepo = (path: string): string => join(root, path)

const FROM_NPM = /^npm_(?!config_(?!local_prefix))/i

/** The environment of a shell with only this Node.js, and only the settings of the repo's npm. */
export const environment: NodeJS.ProcessEnv = Object.fromEntries([
  ...Object.entries(process.env).filter(
    ([name]) =>
      !FROM_NPM.test(name) && !/^(NODE_(OPTIONS|TEST_CONTEXT)|INIT_CWD|PATH)$/i.test(name),
  ),
  ['PATH', `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}`],
])

const PATIENCE_MS = 120_000

export interface Ran {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

export function run(cwd: string, command: string, ...args: readonly string[]): Ran {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd,
    env: environment,
    encoding: 'utf8',
    timeout: PATIENCE_MS,
    shell: process.platform === 'win32' && command === 'npm',
  })
  return { status, stdout, stderr }
}

/** Runs a program that must succeed, and returns its output. */
export function runOrThrow(cwd: string, command: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = run(cwd, command, ...args)
  if (status === 0) return stdout
  throw new Error(`${command} ${args.join(' ')} ended with ${status}:\n${stdout}${stderr}`)
}

export const node = (cwd: string, ...args: readonly string[]): string =>
  runOrThrow(cwd, process.execPath, ...args)
export const npm = (cwd: string, ...args: readonly string[]): string =>
  runOrThrow(cwd, 'npm', ...args, '--no-audit', '--no-fund')
