// Processes that are killed during backup, restore and archive: the result is complete or absent.
import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { start } from 'throughline'
import { embedded, restore } from 'throughline/embedded'
import { seededRandom } from 'throughline/testing'
import { partitionOf } from '../../src/contract/partition.ts'
import { talking } from '../control/talking-services.ts'
import { runs } from '../extent.ts'

const bin = fileURLToPath(new URL('../../src/cli/bin.mjs', import.meta.url))
/** Has no consumer, so that all of it can be archived. */
const TOPIC = 'telling.events'
const PARTITIONS = 2
const COUNT = 6_000
const KILLS = runs(2)

let root: string
let data: string
before(async () => {
  root = mkdtempSync(join(tmpdir(), 'throughline killed '))
  data = join(root, 'data')
  const [, teller] = talking
  const app = await start([teller], embedded({ directory: data }))
  await app.stop()
  const { log, store } = embedded({ directory: data })
  await log.open()
  await store.open()
  const random = seededRandom(1)
  for (let from = 0; from < COUNT; from += 1_000)
    await log.append(
      Array.from({ length: 1_000 }, (_, at) => {
        const key = `k${from + at}`
        const noise = Array.from({ length: 40 }, () => Math.floor(random() * 36 ** 6).toString(36))
        return {
          topic: TOPIC,
          partition: partitionOf(key, PARTITIONS),
          id: `e${from + at}`,
          key,
          type: 'telling.Told',
          at: 1,
          head: `{"source":"teller","correlation":"e${from + at}","hops":0}`,
          data: JSON.stringify({ id: key, noise: noise.join('') }),
        }
      }),
    )
  await log.close()
  await store.close()
})
after(() => rmSync(root, { recursive: true }))

const say = (...argv: readonly string[]): ChildProcess =>
  spawn(process.execPath, [bin, ...argv], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })

async function ended(child: ChildProcess): Promise<unknown> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return child.signalCode ?? child.exitCode
}

/** Kills a process once a condition holds; returns whether it was still running. */
async function killWhen(child: ChildProcess, isSo: () => boolean): Promise<boolean> {
  while (child.exitCode === null && !isSo()) await new Promise(setImmediate)
  child.kill('SIGKILL')
  return (await ended(child)) === 'SIGKILL'
}

async function mustGoWell(...argv: readonly string[]): Promise<void> {
  assert.equal(await ended(say(...argv)), 0, argv.join(' '))
}

/** Every record of the topic, as text. */
async function contents(directory: string): Promise<readonly string[]> {
  const { log } = embedded({ directory, isReadOnly: true })
  await log.open()
  const records: string[] = []
  for (const { topic, partition, first } of await log.ends([TOPIC]))
    for (let next = first; ;) {
      const max = { records: 5_000, bytes: 50_000_000 }
      const [slice] = await log.read([{ topic, partition, next }], max, { ms: 0 })
      assert.equal(slice?.damage, undefined)
      for (const record of slice?.records ?? []) records.push(JSON.stringify(record))
      next = slice?.next ?? 0
      if (!slice || next >= slice.end) break
    }
  await log.close()
  return records
}

const sizeOf = (path: string): number => (existsSync(path) ? statSync(path).size : -1)

/** The file sizes at which to kill, spread over a file. */
function moments(size: number): readonly number[] {
  const random = seededRandom(size)
  return [0, ...Array.from({ length: KILLS - 1 }, () => Math.floor(random() * size))]
}

suite('killed', { timeout: runs(110_000) }, () => {
  test('backup and restore leave nothing until they are complete', async () => {
    const all = await contents(data)
    const size = sizeOf(join(data, 'throughline.db'))
    let kills = 0
    for (const [number, bytes] of moments(size).entries()) {
      const to = join(root, `copy-${number}`)
      const grown = (): boolean => sizeOf(join(`${to}.part`, 'throughline.db')) >= bytes
      if (await killWhen(say('backup', to), grown)) kills += 1
      if (!existsSync(to)) await mustGoWell('backup', to)
      assert.equal(existsSync(`${to}.part`), false)

      const into = join(root, `again-${number}`)
      const copied = (): boolean => sizeOf(join(into, 'throughline.db')) >= bytes
      if (await killWhen(say('restore', to, '--data', into), copied)) kills += 1
      if (!existsSync(join(into, 'throughline.json'))) {
        await assert.rejects(embedded({ directory: into }).log.open(), { code: 'DATA_FOREIGN' })
        await mustGoWell('restore', to, '--data', into)
      }
      assert.deepEqual(await contents(into), all)
      rmSync(to, { recursive: true })
      rmSync(into, { recursive: true })
    }
    assert.ok(kills >= KILLS, `${kills} were killed`)
  })

  test('archive loses nothing, and the next one completes it', async () => {
    const all = await contents(data)
    const backup = join(root, 'backup')
    await mustGoWell('backup', backup)
    let kills = 0
    for (let number = 0; number < KILLS; number += 1) {
      const copy = join(root, `moved-${number}`)
      await restore({ from: backup, directory: copy })
      const to = join(root, `old-${number}`)
      const argv = ['archive', TOPIC, '--before', '2999-01-01', '--to', to]
      // A file has its name before its records leave the data: first it grows, then that comes.
      const isSo = (): boolean => {
        const names = existsSync(to) ? readdirSync(to) : []
        const isNamed = names.some((name) => name.endsWith('.gz'))
        return number === 0 ? names.length > 0 : isNamed && names.length >= number
      }
      const offline = [...argv, '--data', copy, '--offline']
      if (await killWhen(say(...offline), isSo)) kills += 1
      assert.deepEqual(await contents(copy), all)
      await mustGoWell(...offline)
      assert.deepEqual(await contents(copy), all)
      const names = readdirSync(to)
      assert.ok(names.length > 0 && names.every((name) => name.endsWith('.gz')))
      await mustGoWell('verify', '--data', copy)
    }
    assert.ok(kills > 0, `${kills} were killed`)
  })
})
