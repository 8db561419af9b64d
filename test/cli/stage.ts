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
import type { Screen } from '../../src/cli/environment.ts'
import { main } from '../../src/cli/main.ts'
import { Asking, talking } from '../control/world.ts'

export interface Answered {
  readonly code: number
  readonly out: string
  readonly err: string
}

export interface Around {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly env?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
  /** Called with each piece of output. */
  readonly heard?: (text: string) => void
}

export const systemFile = (name: string): string =>
  fileURLToPath(new URL(`systems/${name}.ts`, import.meta.url))

/** A working directory for the command line. */
export interface Place {
  readonly root: string
  readonly data: string
  /** Runs a command and returns its exit code and output. */
  say(argv: readonly string[], around?: Around): Promise<Answered>
  /** Runs a command with --json, asserts success, and returns the parsed output. */
  ask(...argv: readonly string[]): Promise<unknown>
  /** Starts the services on the data. */
  launch(): Promise<App>
  remove(): void
}

export function place(): Place {
  const root = mkdtempSync(join(tmpdir(), 'throughline cli '))
  const data = join(root, 'data')
  const say: Place['say'] = async (argv, around = {}) => {
    const said = { out: '', err: '' }
    const screen = (name: 'out' | 'err'): Screen => ({
      isTTY: around.isTTY,
      columns: around.columns,
      on: () => undefined,
      write(text) {
        said[name] += text
        if (name === 'out') around.heard?.(text)
      },
    })
    const code = await main(argv, {
      stdout: screen('out'),
      stderr: screen('err'),
      cwd: root,
      env: around.env ?? {},
      ...(around.signal ? { signal: around.signal } : {}),
    })
    return { code, ...said }
  }
  return {
    root,
    data,
    say,
    async ask(...argv) {
      const { code, out, err } = await say([...argv, '--json'])
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
export async function talk(app: App): Promise<void> {
  for (const id of ['a', 'b', 'c']) await app.send(Asking.Ask({ id }), { id: `ask-${id}` })
  await app.settled()
}

/**
 * Runs the same tests twice: with a running owner, and without an owner. The data has three finished
 * conversations.
 */
export function inBothWays(what: string, tests: (at: Place, isRunning: boolean) => void): void {
  for (const isRunning of [true, false])
    suite(`${what} ${isRunning ? 'with a running owner' : 'without an owner'}`, () => {
      const at = place()
      let app: App
      before(async () => {
        app = await at.launch()
        await talk(app)
        if (!isRunning) await app.stop()
      })
      after(async () => {
        await app.stop()
        at.remove()
      })
      tests(at, isRunning)
    })
}
