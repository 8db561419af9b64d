import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { suite, test } from 'node:test'
import { findViolations } from './support/invariants.ts'
import { startChild, fastTempDirectory } from './support/child-process.ts'
import type { KillTally } from './support/kill-cycles.ts'
import { runKillCycles } from './support/kill-cycles.ts'
import type { KillPoint, WorkloadSetup } from './support/kill-points.ts'
import { takeSnapshot } from './support/snapshot.ts'
import type { Shim } from './support/shim.ts'
import { buildShim } from './support/shim.ts'
import type { ProtocolLine } from './support/protocol.ts'
import { observe, createObserved, unfinishedOf } from './support/protocol.ts'

/** Some of what `npm run crash:kill` does; a longer run is one command. */
async function kills(
  t: TestContext,
  cycles: number,
  moments: readonly KillPoint[],
): Promise<KillTally | undefined> {
  const root = await fastTempDirectory(t)
  const shim = shimIn(t, root)
  if (!shim) return undefined
  const tally = await runKillCycles({ cycles, seed: 7, root, shim, moments })
  assert.deepEqual(tally.violations, [])
  assert.equal(tally.cycles, cycles)
  return tally
}

function shimIn(t: TestContext, root: string): Shim | undefined {
  const shim = buildShim(root)
  if (!shim) t.skip('needs Linux and a C compiler')
  return shim
}

const isPosix = process.platform !== 'win32'

suite('a process that is killed', { skip: !isPosix }, () => {
  test('LOG-01 kill during an append burst: all that was acked is there', async (t) => {
    const tally = await kills(t, 5, ['any time', 'append', 'sync'])
    if (tally) assert.ok(tally.acked > 100, `${tally.acked} acks`)
  })

  test('LOG-02 kill during a checkpoint, a start or a stop: the same', async (t) => {
    const { died } = (await kills(t, 5, ['checkpoint', 'start', 'stop'])) ?? {}
    if (died) assert.ok((died.checkpoint ?? 0) + (died.stop ?? 0) > 0, JSON.stringify(died))
  })

  test('LOG-04 kill during the making of a topic: it is there whole or not at all', async (t) => {
    const { died } = (await kills(t, 3, ['create'])) ?? {}
    if (died) assert.ok((died.create ?? 0) > 0, JSON.stringify(died))
  })

  test('LOG-05 kill during trim and compaction: the latest of each key is there', async (t) => {
    const { died } = (await kills(t, 3, ['trim', 'compact'])) ?? {}
    if (died) assert.ok((died.trim ?? 0) + (died.compact ?? 0) > 0, JSON.stringify(died))
  })

  test('LOG-48 out of memory: a clean death, and all that was acked is there', async (t) => {
    const directory = join(await fastTempDirectory(t), 'data')
    const observed = createObserved(1)
    const setup: WorkloadSetup = {
      directory,
      seed: observed.seed,
      first: 1,
      open: unfinishedOf(observed),
      moment: 'any time',
      nth: 1,
      isHoarding: true,
    }
    const child = startChild<ProtocolLine>(t, 'workload.child.ts', [JSON.stringify(setup)], {
      command: [process.execPath, '--max-old-space-size=64'],
      onStderr: () => undefined,
    })
    for (let line = await child.next(); line; line = await child.next()) observe(observed, line)
    assert.equal(await child.ended, 'SIGABRT')
    assert.ok(observed.acked.batch.size > 3, `${observed.acked.batch.size} acks`)
    const snapshot = await takeSnapshot(directory, [...observed.topics.keys()], observed.isUp)
    assert.deepEqual(findViolations({ observed, snapshot, isSettled: false }), [])
  })

  test('a disk that drops writes and says that it did not is found out', async (t) => {
    const root = await fastTempDirectory(t)
    const shim = shimIn(t, root)
    if (!shim) return
    const control = { isDropping: true }
    const moments = ['any time'] as const
    const tally = await runKillCycles({ cycles: 3, seed: 1, root, shim, control, moments })
    assert.notDeepEqual(tally.violations, [])
  })
})
