import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

/** A child process that writes lines of JSON. */
export interface Child<Line> {
  readonly pid: number
  /** The next line, or `undefined` once the process has ended. */
  next(): Promise<Line | undefined>
  send(line: string): void
  /** The signal that killed it, or its exit code. Lines can still be read after that. */
  readonly ended: Promise<NodeJS.Signals | number | null>
  kill(signal?: NodeJS.Signals): void
}

export interface StartOptions {
  /** The command that runs the program. Default: this Node.js. */
  readonly command?: readonly string[]
  /** Added to the environment of this process. */
  readonly environment?: Readonly<Record<string, string>>
  /** Receives its stderr. Default: the stderr of this process. */
  readonly onStderr?: (text: string) => void
}

/** Starts a program of the folder of children. */
export function spawnChild<Line>(
  file: string,
  args: readonly string[],
  { command = [process.execPath], environment = {}, onStderr }: StartOptions = {},
): Child<Line> {
  const path = fileURLToPath(new URL(`../children/${file}`, import.meta.url))
  const [program, ...before] = command
  assert.ok(program)
  const child: ChildProcess = spawn(program, [...before, path, ...args], {
    stdio: ['pipe', 'pipe', onStderr ? 'pipe' : 'inherit'],
    env: { ...process.env, ...environment },
  })
  child.stderr?.on('data', (chunk: Buffer) => onStderr?.(chunk.toString()))
  const ended = once(child, 'close').then(
    ([code, signal]) => (signal ?? code) as NodeJS.Signals | number | null,
  )
  assert.ok(child.stdout && child.stdin && child.pid)
  // Ignore writes to a process that has ended.
  child.stdin.on('error', () => undefined)
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  return {
    pid: child.pid,
    ended,
    async next() {
      const { value, done } = await lines.next()
      // A kill may cut the last line off.
      return done || !value.endsWith('}') ? undefined : (JSON.parse(value) as Line)
    },
    send: (line) => void child.stdin?.write(`${line}\n`),
    kill: (signal = 'SIGKILL') => void child.kill(signal),
  }
}

/** Starts a child that is killed after the test. */
export function startChild<Line>(
  t: TestContext,
  file: string,
  args: readonly string[],
  options: StartOptions = {},
): Child<Line> {
  const child = spawnChild<Line>(file, args, options)
  t.after(async () => {
    child.kill()
    await child.ended
  })
  return child
}

/**
 * The fastest place for files: in memory where available. Killed processes and injected faults leave
 * the same files there as on a disk.
 */
export const fastestTempRoot = (): string => (existsSync('/dev/shm') ? '/dev/shm' : tmpdir())

/** A temporary directory in a fast place, with its real path; removed after the test. */
export async function fastTempDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(fastestTempRoot(), 'throughline-'))
  t.after(() => rm(directory, { recursive: true }))
  return realpath(directory)
}

/** A temporary directory, removed after the test. */
export async function tempDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'throughline-'))
  t.after(() => rm(directory, { recursive: true }))
  return directory
}
