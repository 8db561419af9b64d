// A message that ends its process: restarted as by a supervisor, the system completes all others.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { MESSAGES, POISON } from './process-ends.child.ts'

const child = fileURLToPath(new URL('process-ends.child.ts', import.meta.url))
const STARTS_MAX = 8

let root: string
before(() => (root = mkdtempSync(join(tmpdir(), 'throughline process '))))
after(() => rmSync(root, { recursive: true }))

type Counts = Readonly<Record<'completed' | 'dead' | 'pending' | 'lag', number>>

/** Restarts the system until it stays up; returns the number of starts and its output. */
function untilItStays(directory: string, kind: string, mode: string) {
  for (let starts = 1; starts <= STARTS_MAX; starts += 1) {
    const { status, stdout, stderr } = spawnSync(process.execPath, [child, directory, kind, mode], {
      encoding: 'utf8',
    })
    if (status === 0) return { starts, stdout, stderr }
  }
  return assert.fail(`it still ends after ${STARTS_MAX} starts`)
}

suite('a message that ends its process is held, and all others are completed:', () => {
  for (const [kind, mode] of [
    ['handler', 'rejection'],
    ['queue', 'exit'],
    ['projection', 'kill'],
  ] as const)
    test(`${kind}, ${mode}`, () => {
      const directory = join(root, `${kind}-${mode}`)
      const { starts, stdout, stderr } = untilItStays(directory, kind, mode)
      assert.ok(starts > 3, 'it is tried three times before it is held')
      assert.match(stderr, /PROCESS_ENDED/)
      const [{ completed, dead, pending, lag }] = JSON.parse(stdout) as [Counts]
      assert.deepEqual([completed, dead, pending, lag], [MESSAGES - 1, 1, 0, 0])
      if (!existsSync(`${directory}.effects`)) return
      const effects = readFileSync(`${directory}.effects`, 'utf8').trim().split('\n').map(Number)
      for (let n = 0; n < MESSAGES; n += 1) {
        const count = effects.filter((each) => each === n).length
        if (n !== POISON)
          assert.ok(count === 1 || count === 2, `the effect of ${n}: ${count} times`)
      }
    })
})

test('a rebuild whose rule ends the process fails, and everything else continues', () => {
  const directory = join(root, 'rebuild')
  untilItStays(directory, 'rebuild', 'none')
  const { starts, stdout } = untilItStays(directory, 'rebuild', 'exit')
  assert.ok(starts > 3, 'it is tried three times before it fails')
  assert.match(stdout, /REBUILD_FAILED.*the process ended in each of 3 attempts/)
})

test('a message that ends its process holds no key of another consumer', () => {
  const { stdout } = untilItStays(join(root, 'beside'), 'beside', 'exit')
  assert.deepEqual(JSON.parse(stdout), [`svc/poisoned k${POISON}`])
})
