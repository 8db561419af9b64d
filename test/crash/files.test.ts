import assert from 'node:assert/strict'
import { cpSync, globSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { embedded } from '../../src/backends/embedded/index.ts'
import type { Clock } from '../../src/base/time/clock.ts'
import { monotonic, systemClock } from '../../src/base/time/clock.ts'
import { Fault } from '../../src/base/errors/fault.ts'
import type { EventLog } from '../../src/ports/event-log.ts'
import {
  ORDERS,
  PARTITIONS,
  testEvents,
  readAll,
  appendStored,
  testTopic,
} from '../../src/ports/conformance/fixtures.ts'
import { findViolations } from './support/invariants.ts'
import { startChild, fastTempDirectory } from './support/child-process.ts'
import type { FileAccess } from './children/file-access.child.ts'
import type { WorkloadSetup } from './support/kill-points.ts'
import { takeSnapshot } from './support/snapshot.ts'
import type { ProtocolLine, Observed } from './support/protocol.ts'
import { observe, createObserved, unfinishedOf } from './support/protocol.ts'

const isPosix = process.platform !== 'win32'
const SOURCE = fileURLToPath(new URL('../../src/', import.meta.url))

/** Calls that open a file, or copy one, and so close it again. */
const OPENING =
  /\b(?:openSync|open|readFileSync|readFile|createReadStream|copyFileSync|copyFile|cpSync|cp|createWriteStream)\(([^;\n]*)/g
/** How the code names the files of the database. */
const DATABASE = /\bdatabase\b|\.db\b|-wal\b|-shm\b/

/** Lines that open the database by its path. */
function openings(text: string): readonly string[] {
  return [...text.matchAll(OPENING)]
    .filter(([, args = '']) => DATABASE.test(args))
    .map(([line]) => line.trim())
}

suite('LOG-30 the files of the database are opened by SQLite alone', () => {
  test('in the source: but before it is opened, and where a restore makes a new one', () => {
    const found = globSync('**/*.ts', { cwd: SOURCE })
      .filter((file) => !file.endsWith('.test.ts'))
      .flatMap((file) =>
        openings(readFileSync(join(SOURCE, file), 'utf8')).map(
          (line) => `${basename(file)}: ${line}`,
        ),
      )
    assert.deepEqual(found, [
      "directory.ts: openSync(database, 'r')",
      "restore.ts: open(to.database, 'wx')",
    ])
  })

  test('the scan finds what it looks for', () => {
    assert.equal(openings("const bytes = readFileSync(files.database)\nopen('x.db-wal')").length, 2)
    assert.equal(openings("readFileSync(marker, 'utf8')").length, 0)
  })

  const isOfDatabase = (path: string): boolean => basename(path).startsWith('throughline.db')

  test('while everything runs that operators can say', async (t) => {
    const directory = join(await fastTempDirectory(t), 'data')
    const child = startChild<FileAccess>(t, 'file-access.child.ts', [directory])
    const guarded = await child.next()
    assert.equal(await child.ended, 0)
    assert.ok(guarded && guarded.verbs.includes('verify'))
    assert.deepEqual(
      guarded.failed.filter((each) => !each.includes('OPTION_INVALID')),
      [],
    )
    assert.deepEqual(guarded.opened.filter(isOfDatabase), [])
  })

  test('the guard sees one that does', async (t) => {
    const directory = join(await fastTempDirectory(t), 'data')
    const path = join(directory, 'throughline.db')
    const guarded = await startChild<FileAccess>(t, 'file-access.child.ts', [
      directory,
      path,
    ]).next()
    assert.deepEqual([...new Set(guarded?.opened.filter(isOfDatabase))], [path])
  })
})

suite('the write-ahead log', () => {
  const MIB = 1_048_576
  const walBytes = (directory: string): number =>
    statSync(join(directory, 'throughline.db-wal')).size

  /** Appends in batches of about a mebibyte. */
  async function write(log: EventLog, name: string, mebibytes: number): Promise<void> {
    const data = JSON.stringify('x'.repeat(32_000))
    for (let at = 0; at < mebibytes; at += 1)
      await appendStored(log, testEvents(`${name}-${at}`, 32, { data }))
  }

  test('LOG-32 a reader that holds it open raises an alarm; without one it is bounded', async (t) => {
    const directory = join(await fastTempDirectory(t), 'data')
    const { log } = embedded({ directory })
    t.after(() => log.close())
    await log.open()
    await log.declare([testTopic(ORDERS)])
    await write(log, 'free', 144)
    assert.ok(walBytes(directory) < 128 * MIB, `${walBytes(directory)} bytes`)
    assert.equal((await log.health()).status, 'well')
    const reader = startChild(t, 'held-reader.child.ts', [join(directory, 'throughline.db')])
    assert.deepEqual(await reader.next(), { status: 'holding' })
    let written = 0
    for (; (await log.health()).status === 'well' && written < 320; written += 16)
      await write(log, `held-${written}`, 16)
    const { status, detail } = await log.health()
    assert.equal(status, 'failing', `${written} MiB were written`)
    assert.match(detail, /write-ahead log/)
    reader.send('go')
    assert.deepEqual(await reader.next(), { status: 'released' })
    for (let more = 0; (await log.health()).status !== 'well' && more < 64; more += 4)
      await write(log, `after-${more}`, 4)
    assert.equal((await log.health()).status, 'well')
  })
})

suite('a directory that is copied while it runs', { skip: !isPosix }, () => {
  test('LOG-26 copied while running: whole up to a commit, or refused by name', async (t) => {
    const root = await fastTempDirectory(t)
    const [directory, copy] = [join(root, 'data'), join(root, 'copy')]
    const observed = createObserved(1)
    const setup: WorkloadSetup = {
      directory,
      seed: observed.seed,
      first: 1,
      open: unfinishedOf(observed),
      moment: 'any time',
      nth: 1,
    }
    const child = startChild<ProtocolLine>(t, 'workload.child.ts', [JSON.stringify(setup)])
    let before: Observed | undefined
    for (let line = await child.next(); line; line = await child.next()) {
      observe(observed, line)
      if (before || observed.acked.batch.size < 20) continue
      before = structuredClone(observed)
      cpSync(directory, copy, {
        recursive: true,
        filter: (path) => !path.endsWith('.sock'),
      })
      child.kill()
    }
    assert.ok(before)
    // The copy may have more than was observed by then, but nothing less.
    const { acked, sent, topics } = before
    const trimmed = new Map(
      [...observed.trimmed].map(([partition, { tried }]) => {
        return [partition, { tried, acked: before?.trimmed.get(partition)?.acked ?? 0 }] as const
      }),
    )
    const then: Observed = { ...observed, acked, sent, topics, trimmed }
    try {
      const snapshot = await takeSnapshot(copy, [...topics.keys()], true)
      const violations = findViolations({ observed: then, snapshot, isSettled: false })
      assert.deepEqual(violations, [])
    } catch (cause) {
      if (cause instanceof assert.AssertionError) throw cause
      assert.ok(cause instanceof Fault || /\d/.test(String(cause)), String(cause))
    }
    const snapshot = await takeSnapshot(directory, [...observed.topics.keys()], observed.isUp)
    assert.deepEqual(findViolations({ observed, snapshot, isSettled: false }), [])
  })
})

suite('what a directory may be', () => {
  const opens = async (directory: string): Promise<void> => {
    const { log } = embedded({ directory })
    await log.open()
    await log.declare([testTopic(ORDERS)])
    await appendStored(log, testEvents('a', 5))
    await log.close()
  }

  test('LOG-16 a path with spaces, letters of any kind and dots works; a file is refused', async (t) => {
    const root = await fastTempDirectory(t)
    await opens(join(root, 'a b', 'grüße 😀', '..', 'c'))
    assert.ok(statSync(join(root, 'a b', 'c', 'throughline.db')).size > 0)
    const file = join(root, 'file')
    writeFileSync(file, 'mine')
    for (const directory of [file, join(file, 'below')])
      await assert.rejects(opens(directory), (fault) => {
        assert.ok(fault instanceof Fault, String(fault))
        return true
      })
    assert.equal(readFileSync(file, 'utf8'), 'mine')
  })
})

test('LOG-46 clock jumps: offsets and times of storing never go back', async (t) => {
  let nowMs = 1_800_000_000_000
  const clock: Clock = { ...systemClock(), now: () => nowMs }
  const { log } = embedded({ directory: await fastTempDirectory(t), clock })
  t.after(() => log.close())
  await log.open()
  await log.declare([testTopic(ORDERS)])
  for (const [at, jumpMs] of [0, 3_600_000, -7_200_000, 86_400_000, -1].entries()) {
    nowMs += jumpMs
    await appendStored(log, testEvents(`jump-${at}`, 8))
  }
  const latest = new Map<number, number>()
  for (const { partition, storedAt } of await readAll(log)) {
    assert.ok(storedAt >= (latest.get(partition) ?? 0), 'it went back')
    latest.set(partition, storedAt)
  }
  assert.equal(latest.size, PARTITIONS)
})

test('LOG-46 clock jumps: a lease lasts for the time that passes', async (t) => {
  let [wallMs, elapsedMs] = [1_800_000_000_000, 0]
  const wall = (): number => wallMs
  const clock: Clock = { ...systemClock(), wall, now: monotonic(wall), elapsed: () => elapsedMs }
  const { store } = embedded({ directory: await fastTempDirectory(t), clock })
  t.after(() => store.close())
  await store.open()
  const heldBy = async (id: string): Promise<number> =>
    (await store.beat({ id }, ['shard'], 1_000)).held.length
  for (const jumpMs of [-3_600_000, 315_000_000_000]) {
    assert.equal(await heldBy('one'), 1)
    wallMs += jumpMs
    elapsedMs += 999
    assert.equal(await heldBy('other'), 0, 'it was taken early')
    elapsedMs += 1
    assert.equal(await heldBy('other'), 1, 'it has not ended')
    elapsedMs += 1_000
  }
})

test('LOG-47 SQLite has the fix of what damaged a database in versions up to 3.51.2', () => {
  const [major = 0, minor = 0, patch = 0] = (process.versions['sqlite'] ?? '')
    .split('.')
    .map(Number)
  assert.ok(major * 1_000_000 + minor * 1_000 + patch >= 3_051_003, process.versions['sqlite'])
})
