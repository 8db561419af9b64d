import assert from 'node:assert/strict'
import { mkdirSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { embedded } from '../../src/backends/embedded/index.ts'
import type { LogEnd, LogRecord } from '../../src/ports/event-log.ts'
import { startChild, fastTempDirectory } from './support/child-process.ts'
import { readPartition } from './support/snapshot.ts'
import { buildShim } from './support/shim.ts'

const FORMAT = fileURLToPath(new URL('../formats/1/', import.meta.url))

/** A directory of format 1, as that version left it. */
function frozenAt(directory: string): void {
  mkdirSync(directory)
  copyFileSync(join(FORMAT, 'throughline.json'), join(directory, 'throughline.json'))
  const bytes = gunzipSync(readFileSync(join(FORMAT, 'throughline.db.gz')))
  writeFileSync(join(directory, 'throughline.db'), bytes)
}

interface Content {
  readonly ends: readonly LogEnd[]
  readonly records: readonly LogRecord[]
}

/** Opens it, as the next start would, and reads everything. */
async function contentOf(directory: string): Promise<Content> {
  const { log } = embedded({ directory })
  await log.open()
  try {
    const ends = await log.ends(['orders', 'trimmed'])
    const records: LogRecord[] = []
    for (const end of ends) {
      const read = await readPartition(log, end)
      assert.equal(read.damage, undefined)
      records.push(...read.records)
    }
    return { ends, records }
  } finally {
    await log.close()
  }
}

test('LOG-04 kill during a migration, at any change of a file: the next start finishes it', async (t) => {
  const root = await fastTempDirectory(t)
  const shim = buildShim(root)
  if (!shim) {
    t.skip('needs Linux and a C compiler')
    return
  }
  const migrate = async (name: string, nth: number): Promise<number | undefined> => {
    const [directory, faults] = [join(root, name), join(root, `${name}-faults`)]
    frozenAt(directory)
    const child = startChild<{ readonly calls: number }>(
      t,
      'migrate.child.ts',
      [directory, faults, String(nth)],
      { environment: shim.environment(faults, directory) },
    )
    const line = await child.next()
    assert.equal(await child.ended, line ? 0 : 'SIGKILL')
    return line?.calls
  }
  const calls = (await migrate('whole', 0)) ?? 0
  assert.ok(calls > 20, `${calls} calls`)
  const expected = await contentOf(join(root, 'whole'))
  assert.ok(expected.records.length > 0)
  // Every call near the end, where formats and markers change, and each twentieth one before.
  const left = Array.from({ length: calls }, (_, at) => at + 1).filter(
    (nth) => nth % 20 === 0 || nth > calls - 8,
  )
  const worker = async (): Promise<void> => {
    for (let nth = left.shift(); nth !== undefined; nth = left.shift()) {
      await migrate(`killed-${nth}`, nth)
      const content = await contentOf(join(root, `killed-${nth}`))
      assert.deepEqual(content, expected, `killed at call ${nth}`)
    }
  }
  await Promise.all([worker(), worker()])
})
