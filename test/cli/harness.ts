// Runs the command line in this process and captures its output.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { App } from 'throughline'
import { start } from 'throughline'
import { embedded } from 'throughline/embedded'
import type { OutputStream } from '../../src/cli/terminal/environment.ts'
import { main } from '../../src/cli/main.ts'
import { Asking, talking } from '../control/talking-services.ts'

export interface CommandResult {
  readonly code: number
  readonly out: string
  readonly err: string
}

export interface RunOptions {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly env?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
  /** Answers questions. */
  readonly ask?: (question: string) => Promise<string>
  /** Called with each piece of output. */
  readonly onOutput?: (text: string) => void
}

export const systemFile = (name: string): string =>
  fileURLToPath(new URL(`systems/${name}.ts`, import.meta.url))

/** A working directory for the command line. */
export interface TestDirectory {
  readonly root: string
  readonly data: string
  /** Runs a command and returns its exit code and output. */
  run(argv: readonly string[], around?: RunOptions): Promise<CommandResult>
  /** Runs a command with --json, asserts success, and returns the parsed output. */
  runJson(...argv: readonly string[]): Promise<unknown>
  /** Starts the services on the data. */
  launch(): Promise<App>
  remove(): void
}

export function createTestDirectory(): TestDirectory {
  const root = mkdtempSync(join(tmpdir(), 'throughline cli '))
  const data = join(root, 'data')
  const run: TestDirectory['run'] = async (argv, options = {}) => {
    const said = { out: '', err: '' }
    const screen = (name: 'out' | 'err'): OutputStream => ({
      isTTY: options.isTTY,
      columns: options.columns,
      on: () => undefined,
      write(text) {
        said[name] += text
        if (name === 'out') options.onOutput?.(text)
      },
    })
    const code = await main(argv, {
      stdout: screen('out'),
      stderr: screen('err'),
      cwd: root,
      env: options.env ?? {},
      ...(options.signal ? { signal: options.signal } : {}),
      ...(options.ask ? { ask: options.ask } : {}),
    })
    return { code, ...said }
  }
  return {
    root,
    data,
    run,
    async runJson(...argv) {
      const { code, out, err } = await run([...argv, '--json'])
      assert.equal(err, '')
      assert.equal(code, 0)
      // The output is one JSON value on one line.
      assert.equal(out.trimEnd().split('\n').length, 1)
      return JSON.parse(out) as unknown
    },
    launch: () => start(talking, embedded({ directory: data })),
    remove: () => rmSync(root, { recursive: true }),
  }
}

/** Runs three conversations in an app. */
export async function sendConversations(app: App): Promise<void> {
  for (const id of ['a', 'b', 'c']) await app.send(Asking.Ask({ id }), { id: `ask-${id}` })
  await app.settled()
}

/**
 * Runs the same tests twice: with a running owner, and without an owner. The data has three finished
 * conversations.
 */
export function withAndWithoutOwner(
  what: string,
  tests: (at: TestDirectory, isRunning: boolean) => void,
): void {
  for (const isRunning of [true, false])
    suite(`${what} ${isRunning ? 'with a running owner' : 'without an owner'}`, () => {
      const at = createTestDirectory()
      let app: App
      before(async () => {
        app = await at.launch()
        await sendConversations(app)
        if (!isRunning) await app.stop()
      })
      after(async () => {
        await app.stop()
        at.remove()
      })
      tests(at, isRunning)
    })
}
