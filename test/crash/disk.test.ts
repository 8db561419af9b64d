import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { suite, test } from 'node:test'
import { embedded } from '../../src/backends/embedded/index.ts'
import { Fault } from '../../src/base/errors/fault.ts'
import {
  ORDERS,
  testEvents,
  idsOf,
  readAll,
  appendStored,
  testTopic,
} from '../../src/ports/conformance/fixtures.ts'
import { tempDirectory, startChild, fastTempDirectory } from './support/child-process.ts'
import type { SweepName } from './support/disk-sweeps.ts'
import { runSweep } from './support/disk-sweeps.ts'
import { detach, makeReadOnly, mountMemory, whyNoMounts } from './support/mounts.ts'
import type { Shim } from './support/shim.ts'
import { buildShim } from './support/shim.ts'
import type { SlowSyncResult } from './children/slow-sync.child.ts'
import type { DiskFullOutcome } from './children/disk-full.child.ts'

interface Found {
  readonly before: readonly string[]
  readonly failed: readonly string[]
  readonly after: readonly string[]
  readonly units: readonly string[]
  readonly health: readonly string[]
  readonly detail: string
  readonly heads: readonly (readonly number[])[]
}

/** Node.js ignores the signal of a file that grows too large, so that the write itself fails. */
const LIMITED = ['/bin/sh', '-c', 'ulimit -f 2048 && exec "$0" "$@"', process.execPath]

const isPosix = process.platform !== 'win32'

test(
  'LOG-17 file-size limit: harms nothing, and the process goes on',
  { skip: !isPosix },
  async (t) => {
    const directory = await tempDirectory(t)
    const child = startChild<Found>(t, 'file-size-limit.child.ts', [directory], {
      command: LIMITED,
    })
    const found = await child.next()
    assert.equal(await child.ended, 0)
    assert.ok(found)
    assert.deepEqual(found.before, Array(10).fill('stored'))
    assert.deepEqual([...new Set(found.failed)], ['unknown'])
    assert.deepEqual(found.after, [...Array<string>(10).fill('stored'), 'repeat'])
    assert.deepEqual(found.units, ['unknown', 'done'])
    assert.deepEqual(found.health, ['failing', 'well'], found.detail)
    assert.match(found.detail, /disk I\/O error/)
    assert.deepEqual(found.heads[1], found.heads[0])
    const { log, store } = embedded({ directory })
    await log.open()
    await store.open()
    t.after(async () => {
      await log.close()
      await store.close()
    })
    const expected = [...testEvents('before', 10), ...testEvents('after', 10)]
    assert.deepEqual(idsOf(await readAll(log)).toSorted(), idsOf(expected).toSorted())
    assert.equal((await store.get([{ table: 'shop.orders', key: 'a' }]))[0]?.version, 1)
  },
)

interface Equipped {
  readonly root: string
  readonly shim: Shim
}

/** A place and the library that makes calls fail. */
async function equipped(t: TestContext): Promise<Equipped | undefined> {
  const root = await fastTempDirectory(t)
  const shim = buildShim(root)
  if (shim) return { root, shim }
  t.skip('needs Linux and a C compiler')
  return undefined
}

/** Some of what `npm run crash:disk` does, at each sync and one of three other calls. */
async function sweeps(t: TestContext, name: SweepName, isFromStart: boolean): Promise<void> {
  const with_ = await equipped(t)
  if (!with_) return
  // There are far fewer syncs than writes.
  const every = name.includes('sync') ? 1 : 3
  const { points, violations } = await runSweep(name, { ...with_, isFromStart, every })
  assert.deepEqual(violations, [])
  assert.ok(points > 5, `${points} calls failed`)
}

suite('a disk that fails at any call', () => {
  const rows: readonly (readonly [row: string, name: SweepName, isFromStart: boolean])[] = [
    [
      'LOG-09 a sync fails once: unknown, and the same id again is safe',
      'a sync fails once',
      false,
    ],
    [
      'LOG-10 every sync fails: nothing is claimed, reads go on',
      'every sync fails from there on',
      false,
    ],
    ['LOG-11 a write fails once, at any call: nothing is lost', 'a write fails once', false],
    [
      'LOG-12 the disk is full from any call on: refused, and it resumes by itself',
      'the disk is full from there on',
      false,
    ],
    ['LOG-15 the disk turns read-only at any call: the same', 'the disk turns read-only', false],
    ['LOG-11 a sync that fails while it is opened is named', 'a sync fails once', true],
    ['LOG-17 too many open files: opening is refused by name', 'no more files can be opened', true],
  ]
  for (const [row, name, isFromStart] of rows) test(row, (t) => sweeps(t, name, isFromStart))

  test('LOG-18 slow syncs: many callers share one, and nobody is told too early', async (t) => {
    const with_ = await equipped(t)
    if (!with_) return
    const [directory, faults] = [join(with_.root, 'data'), join(with_.root, 'faults')]
    const delayMs = 150
    const child = startChild<SlowSyncResult>(
      t,
      'slow-sync.child.ts',
      [directory, faults, String(delayMs), '200'],
      {
        environment: with_.shim.environment(faults, directory),
      },
    )
    const slow = await child.next()
    assert.equal(await child.ended, 0)
    assert.ok(slow)
    assert.deepEqual([...new Set(slow.verdicts)], ['stored'])
    assert.equal(slow.health, 'well')
    assert.ok(slow.syncs >= 1 && slow.syncs <= 3, `${slow.syncs} syncs`)
    assert.ok(slow.tookMs >= delayMs, `${slow.tookMs} ms`)
  })
})

/** A file system in memory of a size, gone after the test. */
async function tightPlace(t: TestContext, kibibytes: number): Promise<string | undefined> {
  const why = whyNoMounts()
  if (why !== undefined) {
    t.skip(why)
    return undefined
  }
  const at = await mkdtemp(join(tmpdir(), 'throughline-tight-'))
  mountMemory(kibibytes, at)
  t.after(async () => {
    detach(at)
    await rm(at, { recursive: true })
  })
  return at
}

suite('a disk with little room', () => {
  test('LOG-12 LOG-13 LOG-14 full disk: reads and stopping work, and it resumes by itself', async (t) => {
    const at = await tightPlace(t, 4_096)
    if (at === undefined) return
    const ballast = join(at, 'ballast')
    mkdirSync(ballast)
    const child = startChild<DiskFullOutcome>(t, 'disk-full.child.ts', [join(at, 'data'), ballast])
    const outcome = await child.next()
    assert.equal(await child.ended, 0)
    assert.ok(outcome)
    const { 'send on a full disk': refused, 'start on a full disk': began, ...rest } = outcome
    assert.equal(typeof refused === 'object' && refused.code, 'LOG_FULL', JSON.stringify(refused))
    const isNamed = began === 'started' || (typeof began === 'object' && began.code !== undefined)
    assert.ok(isNamed, JSON.stringify(began))
    assert.deepEqual(rest, {
      filled: 'LOG_FULL',
      'read on a full disk': 'all',
      'health on a full disk': 'failing',
      'send with room again': 'stored',
      settled: 'settled',
      'health with room again': 'well',
      'stop on a full disk': 'stopped',
      'read after a start on a full disk': 'all',
      'start with room again': 'started',
      'all there': 'all',
    })
  })

  test('LOG-15 read-only file system at start: refused by name, and readable', async (t) => {
    const at = await tightPlace(t, 4_096)
    if (at === undefined) return
    const directory = join(at, 'data')
    const { log } = embedded({ directory })
    await log.open()
    await log.declare([testTopic(ORDERS)])
    await appendStored(log, testEvents('a', 5))
    await log.close()
    makeReadOnly(at)
    await assert.rejects(embedded({ directory }).log.open(), (fault) => {
      assert.ok(fault instanceof Fault, String(fault))
      assert.notEqual(fault.code, 'DATA_DAMAGED')
      return true
    })
    const reading = embedded({ directory, isReadOnly: true }).log
    t.after(() => reading.close())
    await reading.open()
    assert.equal((await readAll(reading)).length, 5)
  })
})
