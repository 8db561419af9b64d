import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

/** A process that a test started; it tells what it does in lines of JSON. */
export interface Child<Line> {
  readonly pid: number
  /** The next line, or nothing once the process has ended. */
  next(): Promise<Line | undefined>
  tell(line: string): void
  /** The signal that it died of, or its exit code. Every line can be read after that, too. */
  readonly ended: Promise<NodeJS.Signals | number | null>
  kill(): void
}

export interface StartOptions {
  /** What runs the program; default: this Node.js alone. */
  readonly command?: readonly string[]
}

/** Starts a program of this folder; whatever happens, it is gone after the test. */
export function start<Line>(
  t: TestContext,
  file: string,
  args: readonly string[],
  { command = [process.execPath] }: StartOptions = {},
): Child<Line> {
  const path = fileURLToPath(new URL(file, import.meta.url))
  const [program, ...before] = command
  assert.ok(program)
  const child: ChildProcess = spawn(program, [...before, path, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = once(child, 'close').then(
    ([code, signal]) => (signal ?? code) as NodeJS.Signals | number | null,
  )
  t.after(async () => {
    child.kill('SIGKILL')
    await ended
  })
  assert.ok(child.stdout && child.stdin && child.pid)
  // What is said to a process that is gone is lost.
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
    tell: (line) => void child.stdin?.write(`${line}\n`),
    kill: () => void child.kill('SIGKILL'),
  }
}

/** A directory of the test's own, gone after it. */
export async function place(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'throughline-'))
  t.after(() => rm(directory, { recursive: true }))
  return directory
}
