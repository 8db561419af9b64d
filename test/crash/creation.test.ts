import assert from 'node:assert/strict'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { TestContext } from 'node:test'
import { suite, test } from 'node:test'
import { embedded } from '../../src/backends/embedded/index.ts'
import { ORDERS, testEvents, idsOf } from '../../src/ports/conformance/fixtures.ts'
import { readAll, appendStored, testTopic } from '../../src/ports/conformance/fixtures.ts'
import { tempDirectory, startChild } from './support/child-process.ts'

const CREATING = '{"made":"throughline","format":1,"is":"creating"}\n'

/** Opening finishes the directory, which then works and opens again. */
async function finishes(directory: string): Promise<void> {
  for (const round of [0, 1]) {
    const { log } = embedded({ directory })
    await log.open()
    try {
      await log.declare([testTopic(ORDERS)])
      assert.equal((await readAll(log)).length, round * 5)
      await appendStored(log, testEvents('a', 5))
      assert.deepEqual(idsOf(await readAll(log)).length, 5)
    } finally {
      await log.close()
    }
    const marker = readFileSync(join(directory, 'throughline.json'), 'utf8')
    assert.equal((JSON.parse(marker) as { is: string }).is, 'ready')
    const left = readdirSync(directory).toSorted()
    assert.deepEqual(left, ['high-water', 'owner.lock', 'throughline.db', 'throughline.json'])
  }
}

/** Makes a directory in a process of its own, which kills itself before a step. */
async function make(t: TestContext, directory: string, at: number): Promise<readonly string[]> {
  const child = startChild<{ steps: readonly string[] }>(t, 'create.child.ts', [
    directory,
    String(at),
  ])
  const line = await child.next()
  assert.equal(await child.ended, line ? 0 : 'SIGKILL')
  return line?.steps ?? []
}

suite('a directory whose making was killed', { skip: process.platform === 'win32' }, () => {
  test('at any step, is finished by the next start', async (t) => {
    const parent = await tempDirectory(t)
    const steps = await make(t, join(parent, 'whole'), 0)
    assert.ok(steps.length > 15, steps.join('; '))
    // Every second one, the last among them.
    const left = steps.map((_, at) => at + 1).filter((at) => (steps.length - at) % 2 === 0)
    const worker = async (): Promise<void> => {
      for (let at = left.shift(); at !== undefined; at = left.shift()) {
        const directory = join(parent, String(at))
        await make(t, directory, at)
        await finishes(directory).catch((cause: unknown) => {
          throw new Error(`killed before ${steps[at - 1]}`, { cause })
        })
      }
    }
    await Promise.all([worker(), worker(), worker()])
  })
})

suite('a directory that is not finished', () => {
  const states: Readonly<Record<string, (directory: string) => void>> = {
    'with nothing in it': () => undefined,
    'with half a marker that was never put in place': (directory) =>
      writeFileSync(join(directory, 'throughline.json.new'), '{"made":"thr'),
    'with a marker alone': (directory) =>
      writeFileSync(join(directory, 'throughline.json'), CREATING),
    'with a marker, half another marker and an empty database'(directory) {
      writeFileSync(join(directory, 'throughline.json'), CREATING)
      writeFileSync(join(directory, 'throughline.json.new'), '')
      writeFileSync(join(directory, 'throughline.db'), '')
    },
    'with a marker and a database without tables'(directory) {
      writeFileSync(join(directory, 'throughline.json'), CREATING)
      const db = new DatabaseSync(join(directory, 'throughline.db'))
      db.exec('PRAGMA page_size = 8192; PRAGMA journal_mode = WAL')
      db.close()
    },
    'with a lock and no marker'(directory) {
      writeFileSync(join(directory, 'owner.lock'), '')
      writeFileSync(join(directory, 'owner.json'), '{"pid":1,"startedAt":"')
    },
  }
  for (const [state, make] of Object.entries(states))
    test(`${state}, is finished by the next start`, async (t) => {
      const directory = await tempDirectory(t)
      make(directory)
      await finishes(directory)
    })
})
