import assert from 'node:assert/strict'
import fs from 'node:fs'
import { copyFileSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { TestContext } from 'node:test'
import { suite, test } from 'node:test'
import type { Clock } from '../../src/base/time/clock.ts'
import { systemClock } from '../../src/base/time/clock.ts'
import {
  ORDERS,
  testEvent,
  testTopic,
  testUnit,
  resultCode,
} from '../../src/ports/conformance/fixtures.ts'
import type { Backend } from '../../src/ports/event-store.ts'
import { createCheckpointer } from '../../src/backends/embedded/commit/checkpointer.ts'
import type { DamageRegistry } from '../../src/backends/embedded/log/damage-registry.ts'
import type { TopicHeads } from '../../src/backends/embedded/log/partition-heads.ts'
import { createHighWater, openHighWater } from '../../src/backends/embedded/files/high-water.ts'
import { createCommitSeal } from '../../src/backends/embedded/commit/commit-seal.ts'
import { close, opened, place } from './support/data-directory.ts'

const EPOCH = '01890000-0000-7000-8000-000000000000'

async function declared(t: TestContext, directory: string): Promise<Backend> {
  const backend = await opened(t, directory)
  await backend.log.declare([testTopic(ORDERS)])
  return backend
}

suite('the first commit after a killed owner', () => {
  test('is synced before a duplicate is acknowledged, although it changes nothing', async (t) => {
    const [directory, copy] = [place(t), place(t)]
    const killed = await declared(t, directory)
    await killed.log.append([testEvent('e1')])
    for (const name of ['throughline.db', 'throughline.db-wal', 'high-water', 'throughline.json'])
      copyFileSync(join(directory, name), join(copy, name))
    const { log } = await declared(t, copy)
    const walBytes = (): number => statSync(join(copy, 'throughline.db-wal')).size
    const before = walBytes()
    assert.deepEqual((await log.append([testEvent('e1')])).map(resultCode), ['repeat'])
    const synced = walBytes()
    assert.ok(synced > before, 'nothing was written, and so nothing synced')
    assert.deepEqual((await log.append([testEvent('e1')])).map(resultCode), ['repeat'])
    assert.equal(walBytes(), synced, 'once is enough')
  })
})

test('a start on a full disk: declaring what is declared writes nothing', async (t) => {
  const directory = place(t)
  const { log, store } = await declared(t, directory)
  const tables = [{ name: 'shop.stock', indexes: ['colour'] }]
  await store.declare(tables)
  const walBytes = (): number => statSync(join(directory, 'throughline.db-wal')).size
  const before = walBytes()
  const [state] = await log.declare([testTopic(ORDERS)])
  await store.declare(tables)
  assert.deepEqual([state?.isNew, walBytes()], [false, before])
})

suite('the marker', () => {
  test('gets the new format, also after a kill: the high-water mark is never created again', async (t) => {
    const directory = place(t)
    await close(await declared(t, directory))
    const marker = join(directory, 'throughline.json')
    writeFileSync(marker, readFileSync(marker, 'utf8').replace('"format":4', '"format":1'))
    await close(await declared(t, directory))
    assert.match(readFileSync(marker, 'utf8'), /"format":4/)
    rmSync(join(directory, 'high-water'))
    await assert.rejects(opened(t, directory), { code: 'DATA_DAMAGED', message: /missing/ })
  })
})

suite('a unit', () => {
  test('whose appends a damaged index refuses is not done', async (t) => {
    const directory = place(t)
    const { store } = await declared(t, directory)
    const db = new DatabaseSync(join(directory, 'throughline.db'))
    db.exec('CREATE UNIQUE INDEX wrong ON log (type)')
    db.close()
    const one = (id: string) => store.commit(testUnit({ appends: [testEvent(id)] }))
    assert.equal((await one('e1')).status, 'done')
    await assert.rejects(one('e2'), { code: 'DATA_DAMAGED' })
  })
})

suite('a close that fails', () => {
  test('releases the directory all the same, and the same object opens again', async (t) => {
    const directory = place(t)
    const backend = await declared(t, directory)
    const { close: really } = DatabaseSync.prototype
    const failing = t.mock.method(DatabaseSync.prototype, 'close', function (this: DatabaseSync) {
      const isIt = this.location()?.endsWith('throughline.db')
      really.call(this)
      if (isIt) throw new Error('disk I/O error')
    }).mock
    await assert.rejects(close(backend), /disk I\/O error/)
    failing.restore()
    await backend.store.close().catch(() => undefined)
    await backend.log.open()
    assert.deepEqual((await backend.log.append([testEvent('e1')])).map(resultCode), ['stored'])
  })
})

suite('the high-water mark', () => {
  test('is synced some time after the last commit, with or without another one', () => {
    const due: { readonly delayMs: number; readonly run: () => void }[] = []
    let [syncs, cancelled] = [0, 0]
    const after: Clock['after'] = (delayMs, run) => {
      due.push({ delayMs, run })
      return () => void (cancelled += 1)
    }
    const seal = createCommitSeal(
      { ...systemClock(), after },
      {
        epoch: EPOCH,
        mark: () => undefined,
        advance: () => undefined,
        clearFrom: () => undefined,
        slots: () => 0,
        write: () => undefined,
        sync: () => void (syncs += 1),
        close: () => undefined,
      },
      { write: () => [], commits: () => 1 } as unknown as TopicHeads,
      { write: () => undefined, onCommitted: () => undefined } as unknown as DamageRegistry,
      () => 0,
    )
    for (let commit = 0; commit < 3; commit += 1) {
      seal.beforeCommit()
      seal.afterCommit()
    }
    assert.deepEqual(
      due.map(({ delayMs }) => delayMs),
      [1_000],
    )
    due[0]?.run()
    assert.equal(syncs, 1)
    seal.beforeCommit()
    seal.afterCommit()
    assert.equal(due.length, 2)
    seal.close()
    assert.equal(cancelled, 1)
  })

  test('is written completely, although one write call writes only a part', (t) => {
    const path = join(place(t), 'high-water')
    createHighWater(path, EPOCH)
    const marks = openHighWater(path, false)
    marks.advance(0, 7, 0)
    marks.advance(1, 9, 12)
    const { writeSync } = fs
    const short = (handle: number, bytes: Buffer, from: number, count: number, at: number) =>
      writeSync(handle, bytes, from, Math.min(count, 5), at)
    const mocked = t.mock.method(fs, 'writeSync', short as typeof writeSync).mock
    syncBuiltinESMExports()
    try {
      marks.write()
    } finally {
      mocked.restore()
      syncBuiltinESMExports()
    }
    marks.close()
    const again = openHighWater(path, true)
    assert.deepEqual([again.mark(0)?.next, again.mark(1)], [7, { next: 9, chain: 12 }])
    again.close()
  })

  test('never decreases', (t) => {
    const path = join(place(t), 'high-water')
    createHighWater(path, EPOCH)
    const marks = openHighWater(path, false)
    t.after(() => marks.close())
    marks.advance(1, 9, 12)
    marks.advance(1, 3, 4)
    assert.deepEqual(marks.mark(1), { next: 9, chain: 12 })
    marks.advance(1, 10, 13)
    assert.deepEqual(marks.mark(1), { next: 10, chain: 13 })
    marks.clearFrom(1)
    assert.equal(marks.mark(1), undefined)
  })
})

suite('a checkpoint of the write-ahead log', () => {
  const path = join(tmpdir(), 'throughline-not-there', 'throughline.db')

  test('that fails raises an alarm with its cause', () => {
    const db = (): DatabaseSync => {
      throw new Error('disk I/O error')
    }
    const checkpoints = createCheckpointer({ db, reconnect: () => undefined, path })
    assert.equal(checkpoints.alarm(), undefined)
    checkpoints.committed(40_000_000)
    assert.match(checkpoints.alarm() ?? '', /cannot be checkpointed: disk I\/O error/)
  })

  test('is done by the commits where the worker is far behind', async () => {
    let here = 0
    const db = () => {
      const get = () => ({ log: 0, checkpointed: 0 })
      return { prepare: () => ({ get: () => (here += 1) && get() }) } as unknown as DatabaseSync
    }
    const checkpoints = createCheckpointer({ db, reconnect: () => undefined, path })
    checkpoints.committed(4_000_000)
    for (let more = 0; more < 5; more += 1) checkpoints.committed(4_000_000)
    assert.equal(here, 0, 'the thread is at it')
    for (let more = 0; more < 4; more += 1) checkpoints.committed(4_000_000)
    assert.equal(here, 1)
    await checkpoints.close()
  })
})
