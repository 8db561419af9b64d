// A rebuild makes rows beside the live ones, with the same result.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { App } from 'throughline'
import { start } from 'throughline'
import { embedded } from 'throughline/embedded'
import { runs } from '../../extent.ts'
import { seededRandom } from '../../../src/base/random.ts'
import type { Slice } from '../../../src/ports/event-log.ts'
import type { Unit } from '../../../src/ports/event-store.ts'
import type { Interceptor } from '../../../src/ports/intercept.ts'
import type { ShelvesVariant } from '../support/shelves-service.ts'
import {
  Asked,
  fill,
  readRows,
  expectedRows,
  createShelvesService,
} from '../support/shelves-service.ts'
import { NAME, SHADOW, createShelvesWorld } from '../support/simulated-shelves.ts'
import { randomFaults } from '../support/simulation.ts'

describe('a rebuild', () => {
  test('makes the same rows, reports progress, and leaves no shadow rows', async () => {
    const world = createShelvesWorld(1)
    const { app } = await world.startApp()
    await world.until(fill(app, 60))
    await world.settle(app)
    const before = await world.rows()
    assert.deepEqual(before, await world.expected())
    const told: number[] = []
    const tell = ({ done, total }: { done: number; total: number }): void => {
      assert.ok(done <= total && total === 60)
      told.push(done)
    }
    const rebuilt = await world.until(app.rebuild(NAME, { onProgress: tell }))
    assert.deepEqual(rebuilt, { projection: NAME, version: 1, events: 60 })
    assert.ok(told.length > 0)
    assert.deepEqual(await world.rows(), before)
    await world.shadowsGone()
    await world.until(fill(app, 10, 60))
    const status = await world.settle(app)
    assert.equal(status.find(({ consumer }) => consumer === NAME)?.accepted, 70)
    assert.deepEqual(await world.rows(), await world.expected())
    const asked = (await world.until(app.ask(Asked.Shelf({ shelf: 's-1' })))) as { found: number }
    assert.equal(asked.found, 's-1' in (await world.rows()) ? 1 : 0)
    await world.until(app.stop())
  })

  test('of an unknown projection is refused with the known ones', async () => {
    const world = createShelvesWorld(2)
    const { app } = await world.startApp()
    for (const name of ['store/shelfs', 'store/good', 'shop/shelves', 'shelves', ''])
      await assert.rejects(world.until(app.rebuild(name)), { code: 'PROJECTION_NOT_FOUND' })
    await assert.rejects(world.until(app.rebuild('store/shelfs')), /did you mean "store\/shelves"/)
    await world.until(app.stop())
  })

  test('requested twice at the same time runs once', async () => {
    const world = createShelvesWorld(3)
    let foldedCount = 0
    const tag = (): string => ((foldedCount += 1), '')
    const { app } = await world.startApp({ tag })
    await world.until(fill(app, 40))
    await world.settle(app)
    const puts = foldedCount
    foldedCount = 0
    const both = await world.until(Promise.all([app.rebuild(NAME), app.rebuild(NAME)]))
    assert.deepEqual(both[0], both[1])
    assert.equal(foldedCount, puts, 'each event once')
    await world.until(app.stop())
  })

  test('whose rule throws names the message, and leaves the live rows unchanged', async () => {
    const world = createShelvesWorld(4)
    let isPoisoned = false
    const tag = (item: string): string => {
      if (isPoisoned && item === 'i-6') throw new Error('no i-6')
      return ''
    }
    const { app } = await world.startApp({ tag })
    await world.until(fill(app, 30))
    await world.settle(app)
    const rows = await world.rows()
    isPoisoned = true
    await assert.rejects(
      world.until(app.rebuild(NAME)),
      /^Fault: REBUILD_FAILED: .*store\/shelves at message [-0-9a-f]{36}: no i-6/,
    )
    assert.deepEqual(await world.rows(), rows)
    assert.match(world.broken[0] ?? '', /^a rebuild of store\/shelves: Fault: REBUILD_FAILED/)
    const health = await world.until(app.health())
    assert.deepEqual([health.status, health.alarms[0]?.kind], ['degraded', 'failed-rebuild'])
    assert.match(health.detail, /store\/shelves failed: REBUILD_FAILED.*no i-6/)
    isPoisoned = false
    await world.until(fill(app, 5, 30))
    await world.until(app.rebuild(NAME))
    await world.shadowsGone()
    await world.settle(app)
    assert.equal((await world.until(app.health())).status, 'well')
    assert.deepEqual(await world.rows(), await world.expected())
    await world.until(app.stop())
  })

  test('is noticed by live consumers: nothing returns to the old rows', async () => {
    const world = createShelvesWorld(5)
    let mark = ''
    const tag = (): string => mark
    const a = await world.startApp({ tag, by: 'item' })
    const b = await world.startApp({ tag, by: 'item' })
    await world.clock.advance(3_000)
    await world.until(fill(a.app, 30))
    await world.settle(a.app)
    // The rule looks the same, so that only the swap itself tells that the rows are others.
    mark = '*'
    await world.until(a.app.rebuild(NAME))
    await world.until(fill(b.app, 30, 30))
    await world.settle(b.app)
    assert.deepEqual(await world.rows(), await world.expected({ tag, by: 'item' }))
    await world.until(Promise.all([a.app.stop(), b.app.stop()]))
  })

  test('includes events held by the live consumer, and folds none twice', async () => {
    const world = createShelvesWorld(6)
    let isPoisoned = true
    const tag = (item: string): string => {
      if (isPoisoned && item === 'i-0') throw new Error('not now')
      return ''
    }
    const late = { retryDelayMs: 100_000, retryDelayMsMax: 100_000 }
    const { app } = await world.startApp({ tag }, undefined, late)
    await world.until(fill(app, 40))
    await world.clock.advance(1_000)
    const pending = async (): Promise<number | undefined> =>
      (await world.until(app.status())).find(({ consumer }) => consumer === NAME)?.pending
    assert.ok(((await pending()) ?? 0) > 0)
    isPoisoned = false
    await world.until(app.rebuild(NAME))
    await world.shadowsGone()
    assert.equal(await pending(), 0)
    assert.deepEqual(await world.rows(), await world.expected())
    for (const table of ['store.holds', 'store.held'])
      assert.deepEqual(await world.rows(table), {}, table)
    await world.clock.advance(150_000)
    await world.until(fill(app, 10, 40))
    await world.settle(app)
    assert.deepEqual(await world.rows(), await world.expected())
    await world.until(app.stop())
  })

  test('never reverts live rows', async () => {
    const world = createShelvesWorld(10)
    const { promise: released, resolve: release } = Promise.withResolvers<void>()
    let swaps = 0
    const held: Interceptor = async (call, run, args) => {
      const isSwap = call === 'store.commit' && (args[0] as Unit).swap !== undefined
      if (isSwap) swaps += 1
      if (isSwap && swaps === 1) await released
      return run()
    }
    const { app } = await world.startApp({}, held)
    await world.until(fill(app, 20))
    await world.settle(app)
    const rebuilding = app.rebuild(NAME)
    while (swaps === 0) await world.clock.advance(1)
    // Folded into the live rows while the swap is on its way, and no part of the shadow yet.
    await world.until(fill(app, 10, 20))
    await world.settle(app)
    const rows = await world.rows()
    release()
    let isDone = false
    void rebuilding.then(() => (isDone = true))
    while (!isDone) {
      assert.deepEqual(await world.rows(), rows)
      await world.clock.advance(1)
    }
    assert.deepEqual(await world.rows(), await world.expected())
    assert.ok(swaps > 1)
    await world.until(app.stop())
  })

  test('continues from what is committed when answers are lost', async () => {
    const world = createShelvesWorld(11)
    let count = 0
    const unsure: Interceptor = async (call, run, args) => {
      const answer = await run()
      const isShadow = (args[0] as Partial<Unit>).rows?.some(({ table }) => table === SHADOW)
      if (call !== 'store.commit' || !isShadow) return answer
      count += 1
      return count % 2 === 1 ? { status: 'unknown', cause: 'the answer was lost' } : answer
    }
    const { app } = await world.startApp({}, unsure)
    await world.until(fill(app, 40))
    await world.settle(app)
    await world.until(app.rebuild(NAME))
    assert.ok(count > 0)
    assert.deepEqual(await world.rows(), await world.expected())
    await world.until(app.stop())
  })

  test('starts at the current beginning of each partition', async () => {
    const world = createShelvesWorld(8)
    const { app } = await world.startApp()
    await world.until(fill(app, 40))
    await world.settle(app)
    const { log } = world.backend
    const ends = await world.until(log.ends(['goods.events']))
    for (const { topic, partition, next } of ends)
      await world.until(log.trim(topic, partition, next >> 1))
    const gone = ends.reduce((sum, { next }) => sum + (next >> 1), 0)
    const { events } = await world.until(app.rebuild(NAME))
    assert.equal(events, 40 - gone)
    assert.deepEqual(await world.rows(), await world.expected())
    await world.until(app.stop())
  })

  test('stops at damage of the log, and reports where', async () => {
    const world = createShelvesWorld(9)
    const torn: Interceptor = async (call, run) => {
      const answer = await run()
      if (call !== 'log.read' || !isTorn) return answer
      return (answer as readonly Slice[]).map((slice) =>
        slice.topic === 'goods.events' && slice.partition === 1 && slice.next > 0
          ? { ...slice, records: [], next: 0, damage: { code: 'CONTENT_CHANGED', from: 0, to: 1 } }
          : slice,
      )
    }
    let isTorn = false
    const { app } = await world.startApp({}, torn)
    await world.until(fill(app, 40))
    await world.settle(app)
    isTorn = true
    const damaged = /REBUILD_FAILED: [^]*goods\.events\/1@0: offset 0 is not what was written/
    await assert.rejects(world.until(app.rebuild(NAME)), damaged)
    assert.deepEqual(await world.rows(), await world.expected())
    await world.until(app.stop())
  })

  test('pauses with its service', async () => {
    const world = createShelvesWorld(7)
    const { app } = await world.startApp({})
    await world.until(fill(app, 20))
    await world.settle(app)
    await world.until(app.pause('store'))
    let isDone = false
    const rebuilding = app.rebuild(NAME).then(() => (isDone = true))
    await world.clock.advance(10_000)
    assert.equal(isDone, false)
    await world.until(app.resume('store'))
    await world.until(rebuilding)
    await world.until(app.stop())
  })
})

test('rebuilt rows equal live ones, under load, through crashes and faults', async () => {
  const part = fc.record({
    count: fc.integer({ min: 1, max: 60 }),
    next: fc.constantFrom('rebuild', 'crash', 'wait', 'both') as fc.Arbitrary<string>,
    waitMs: fc.nat(300),
  })
  await fc.assert(
    fc.asyncProperty(
      fc.nat(),
      fc.array(part, { minLength: 2, maxLength: 6 }),
      fc.constantFrom(0, 0.05),
      fc.constantFrom(2, 30, 512),
      fc.boolean(),
      async (seed, parts, rate, unitRecordsMax, isAlone) => {
        const world = createShelvesWorld(seed)
        const bad = randomFaults(seededRandom(seed), rate)
        // What is not answered at start ends it; that is no matter of this test.
        let isUp = false
        const around: Interceptor = (call, run, args) => (isUp ? bad(call, run, args) : run())
        // Between several instances nothing but a key has an order.
        const bend: ShelvesVariant = isAlone ? {} : { by: 'item' }
        const engine = { unitRecordsMax }
        const launch = async () => {
          isUp = false
          const launched = await world.startApp(bend, around, engine)
          isUp = rate > 0
          return launched
        }
        const steady = isAlone ? undefined : await world.startApp(bend, undefined, engine)
        let other = await launch()
        const app = (): App => (steady ?? other).app
        let from = 0
        const waiting: Promise<unknown>[] = []
        for (const { count, next, waitMs } of parts) {
          const sent = fill(app(), count, from)
          from += count
          if (isAlone) await world.until(sent)
          if (next !== 'wait') waiting.push(app().rebuild(NAME).catch(mustBeUnlucky))
          await world.clock.advance(waitMs)
          if (next === 'crash' || next === 'both') {
            other.crash()
            other = await launch()
          }
          await world.until(sent)
        }
        if (!isAlone) await world.until(Promise.all(waiting))
        isUp = false
        const status = await world.settle(app())
        await world.shadowsGone()
        assert.deepEqual(await world.rows(), await world.expected(bend))
        const own = status.find(({ consumer }) => consumer === NAME)
        assert.deepEqual([own?.accepted, own?.completed, own?.pending], [from, from, 0])
        await world.until(Promise.all([steady?.app.stop(), other.app.stop()]))
      },
    ),
    { numRuns: runs(10), seed: 77 },
  )
})

/** An instance whose backend does not answer may refuse to start. */
function mustBeUnlucky(cause: unknown): void {
  if (!/ broke$|STORE_UNKNOWN/.test(String(cause))) throw cause
}

test('a rebuild on disk survives a restart', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'throughline-rebuild-'))
  try {
    const bend: ShelvesVariant = { version: 2, isMarked: true }
    const wanted: unknown[] = []
    for (const each of [{}, bend, bend]) {
      const backend = embedded({ directory })
      await using app = await start([createShelvesService(each)], backend)
      if (wanted.length < 2) await fill(app, 50, 50 * wanted.length)
      await app.settled()
      if (wanted.length === 1) await app.rebuild(NAME)
      assert.deepEqual(await readRows(backend), await expectedRows(backend, each))
      wanted.push(await app.ask(Asked.Shelf({ shelf: 's-0' })))
    }
    assert.notDeepEqual(wanted[0], wanted[1])
    assert.deepEqual(wanted[1], wanted[2])
  } finally {
    rmSync(directory, { recursive: true })
  }
})
