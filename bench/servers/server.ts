// The servers of peers. A server runs only while its peer is measured, listens on loopback, and stores
// its data in the given directory.
import type { ChildProcess, SpawnOptions } from 'node:child_process'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, readdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'

/** A running server. */
export interface Server {
  readonly port: number
  readonly stop: () => Promise<void>
}

/** A kind of server: how to find or install it, and how to start it. */
export interface ServerKind {
  readonly name: string
  /** Installs the server if it is missing, and returns its version. */
  readonly prepare: () => Promise<string>
  /** Starts the server with an empty directory. */
  readonly start: (directory: string) => Promise<Server>
}

const run = promisify(execFile)

/** Runs a program and returns its output. @throws Error with its stderr */
export async function outputOf(
  command: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly uid?: number; readonly timeout?: number } = {},
): Promise<string> {
  const { stdout } = await run(command, args, { encoding: 'utf8', ...options })
  return stdout.trim()
}

const isProgram = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Finds a program on the `PATH` or in one of these folders. */
export function findProgram(name: string, folders: readonly string[] = []): string | undefined {
  const path = (process.env['PATH'] ?? '').split(delimiter)
  return [...path, ...folders, '/usr/sbin'].map((folder) => join(folder, name)).find(isProgram)
}

const INSTALL_MS_MAX = 300_000

/**
 * Finds a program, and installs its Debian package if it is missing.
 *
 * @throws Error if the installation fails
 */
export async function programOf(
  name: string,
  debian: string,
  folders: () => readonly string[] = () => [],
): Promise<string> {
  const found = findProgram(name, folders())
  if (found !== undefined) return found
  process.stderr.write(`Installing ${debian}.\n`)
  // With this run level, packages do not start their services.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  const options = { env, timeout: INSTALL_MS_MAX }
  await run('apt-get', ['update', '-q'], options)
  await run('apt-get', ['install', '-qy', '--no-install-recommends', debian], options)
  const installed = findProgram(name, folders())
  if (installed === undefined) throw new Error(`${debian} is installed, but has no ${name}`)
  return installed
}

/** The versioned folders below a parent, newest first. */
export function foldersIn(parent: string, below: string): readonly string[] {
  try {
    return readdirSync(parent)
      .toSorted((a, b) => Number(b) - Number(a))
      .map((version) => join(parent, version, below))
  } catch {
    return []
  }
}

/** A port that is free now. */
export async function freePort(): Promise<number> {
  const listening = createServer().listen(0, '127.0.0.1')
  await once(listening, 'listening')
  const address = listening.address()
  listening.close()
  await once(listening, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port is free')
  return address.port
}

const START_MS_MAX = 30_000
const LOOK_MS = 20
const STOP_MS_MAX = 10_000

export interface Launch {
  readonly command: string
  readonly args: readonly string[]
  readonly options?: SpawnOptions
  readonly port: number
  /** Throws until the server answers. */
  readonly probe: (port: number) => Promise<unknown>
  readonly stopSignal?: NodeJS.Signals
}

/** Starts a server and waits until it answers. */
export async function launch(options: Launch): Promise<Server> {
  const { command, args, port, probe, stopSignal = 'SIGTERM' } = options
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'], ...options.options })
  let said = ''
  child.stderr?.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2_000)))
  let failure: Error | undefined
  child.on('error', (cause) => (failure = cause))
  const stop = (): Promise<void> => stopProcess(child, stopSignal)
  const until = performance.now() + START_MS_MAX
  for (;;) {
    const isGone = child.exitCode !== null || child.signalCode !== null
    if (failure ?? isGone) throw failure ?? new Error(`${command} ended: ${said}`)
    try {
      await probe(port)
      return { port, stop }
    } catch (cause) {
      if (performance.now() < until) await pause(LOOK_MS)
      else {
        await stop()
        throw new Error(`${command} does not answer: ${said}`, { cause })
      }
    }
  }
}

async function stopProcess(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill(signal)
  const hard = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX)
  await exit
  clearTimeout(hard)
}
