// Rows are made anew beside the live ones, and are the same.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { start } from 'throughline'
import type { App } from 'throughline'
import { embedded } from 'throughline/embedded'
import { memory } from 'throughline/testing'
import { seededRandom } from '../../src/base/random.ts'
import type { Build } from '../../src/engine/build.ts'
import { judge } from '../../src/engine/build.ts'
import type { Slice } from '../../src/ports/log.ts'
import type { Unit } from '../../src/ports/store.ts'
import type { Around } from '../../src/ports/through.ts'
import type { Bend } from './shelves.ts'
import { Asked, TABLE, fill, rowsIn, rowsOf, shelvesOf } from './shelves.ts'
import type { Stage } from './stage.ts'
import { caughtUp, misfortune, stageOf } from './stage.ts'

const SHADOW = `${TABLE}.shadow`
const NAME = 'store/shelves'

/** One backend in simulated time, and apps on it. */
function worldOf(seed: number) {
  const stage: Stage = stageOf(memory, seed)
  const { clock, backend } = stage
  const broken: string[] = []
  return {
    ...stage,
    broken,
    /** Everything that goes on goes on meanwhile. */
    until: <T>(promise: Promise<T>): Promise<T> => clock.until(promise),
    async launch(bend: Bend = {}, around?: Around, engine: object = {}) {
      const { backend: own, clock: ownClock, random, crash } = stage.instance(around)
      const app = await clock.until(
        start([shelvesOf(bend)], own, {
          clock: ownClock,
          random,
          engine: { leaseMs: 1_000, retryDelayMs: 50, ...engine },
          faulted: () => undefined,
          broke: (about, cause) => void broken.push(`${about}: ${String(cause)}`),
        }),
      )
      return { app, crash }
    },
    async settle(app: App) {
      return clock.until(caughtUp(clock, app))
    },
    rows: (table?: string) => clock.until(rowsIn(backend, table)),
    wanted: (bend?: Bend) => clock.until(rowsOf(backend, bend)),
    /** Waits until the shadow is swept. */
    async swept() {
      for (let count = 0; count < 200; count += 1) {
        const [row] = await clock.until(
          backend.store.get([{ table: 'store.control', key: 'builds' }]),
        )
        if (!row?.body.includes('"shadow"')) break
        await clock.advance(20)
      }
      // Where nothing was ever rebuilt there is no such table.
      const left = rowsIn(backend, SHADOW).catch(() => ({}))
      assert.deepEqual(await clock.until(left), {})
      const progress = await clock.until(backend.store.progress([`${NAME}.shadow`]))
      assert.ok(progress.every(({ next, accepted }) => next === 0 && accepted === 0))
    },
  }
}

describe('a rebuild', () => {
  test('makes the same rows, tells how far it is, and leaves nothing beside them', async () => {
    const world = worldOf(1)
    const { app } = await world.launch()
    await world.until(fill(app, 60))
    await world.settle(app)
    const before = await world.rows()
    assert.deepEqual(before, await world.wanted())
    const told: number[] = []
    const tell = ({ done, total }: { done: number; total: number }): void => {
      assert.ok(done <= total && total === 60)
      told.push(done)
    }
    const rebuilt = await world.until(app.rebuild(NAME, { tell }))
    assert.deepEqual(rebuilt, { projection: NAME, version: 1, events: 60 })
    assert.ok(told.length > 0)
    assert.deepEqual(await world.rows(), before)
    await world.swept()
    await world.until(fill(app, 10, 60))
    const status = await world.settle(app)
    assert.equal(status.find(({ consumer }) => consumer === NAME)?.accepted, 70)
    assert.deepEqual(await world.rows(), await world.wanted())
    const asked = (await world.until(app.ask(Asked.Shelf({ shelf: 's-1' })))) as { found: number }
    assert.equal(asked.found, 's-1' in (await world.rows()) ? 1 : 0)
    await world.until(app.stop())
  })

  test('of what is no projection is refused, with those that there are', async () => {
    const world = worldOf(2)
    const { app } = await world.launch()
    for (const name of ['store/shelfs', 'store/good', 'shop/shelves', 'shelves', ''])
      await assert.rejects(world.until(app.rebuild(name)), { code: 'PROJECTION_NOT_FOUND' })
    await assert.rejects(world.until(app.rebuild('store/shelfs')), /did you mean "shelves"/)
    await world.until(app.stop())
  })

  test('that is asked for twice at once is one', async () => {
    const world = worldOf(3)
    let foldedCount = 0
    const tag = (): string => ((foldedCount += 1), '')
    const { app } = await world.launch({ tag })
    await world.until(fill(app, 40))
    await world.settle(app)
    const puts = foldedCount
    foldedCount = 0
    const both = await world.until(Promise.all([app.rebuild(NAME), app.rebuild(NAME)]))
    assert.deepEqual(both[0], both[1])
    assert.equal(foldedCount, puts, 'each event once')
    await world.until(app.stop())
  })

  test('whose rule throws names the message, and leaves the live rows as they are', async () => {
    const world = worldOf(4)
    let isPoisoned = false
    const tag = (item: string): string => {
      if (isPoisoned && item === 'i-6') throw new Error('no i-6')
      return ''
    }
    const { app } = await world.launch({ tag })
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
    assert.equal((await world.until(app.health())).is, 'failing')
    isPoisoned = false
    await world.until(fill(app, 5, 30))
    await world.until(app.rebuild(NAME))
    await world.swept()
    await world.settle(app)
    assert.equal((await world.until(app.health())).is, 'well')
    assert.deepEqual(await world.rows(), await world.wanted())
    await world.until(app.stop())
  })

  test('is noticed by whoever folds on: nothing goes back to rows from before', async () => {
    const world = worldOf(5)
    let mark = ''
    const tag = (): string => mark
    const a = await world.launch({ tag, by: 'item' })
    const b = await world.launch({ tag, by: 'item' })
    await world.clock.advance(3_000)
    await world.until(fill(a.app, 30))
    await world.settle(a.app)
    // The rule looks the same, so that only the swap itself tells that the rows are others.
    mark = '*'
    await world.until(a.app.rebuild(NAME))
    await world.until(fill(b.app, 30, 30))
    await world.settle(b.app)
    assert.deepEqual(await world.rows(), await world.wanted({ tag, by: 'item' }))
    await world.until(Promise.all([a.app.stop(), b.app.stop()]))
  })

  test('takes over what the live rows hold back, and nothing is folded twice', async () => {
    const world = worldOf(6)
    let isPoisoned = true
    const tag = (item: string): string => {
      if (isPoisoned && item === 'i-0') throw new Error('not now')
      return ''
    }
    const late = { retryDelayMs: 100_000, retryDelayMsMax: 100_000 }
    const { app } = await world.launch({ tag }, undefined, late)
    await world.until(fill(app, 40))
    await world.clock.advance(1_000)
    const pending = async (): Promise<number | undefined> =>
      (await world.until(app.status())).find(({ consumer }) => consumer === NAME)?.pending
    assert.ok(((await pending()) ?? 0) > 0)
    isPoisoned = false
    await world.until(app.rebuild(NAME))
    await world.swept()
    assert.equal(await pending(), 0)
    assert.deepEqual(await world.rows(), await world.wanted())
    for (const table of ['store.holds', 'store.held'])
      assert.deepEqual(await world.rows(table), {}, table)
    await world.clock.advance(150_000)
    await world.until(fill(app, 10, 40))
    await world.settle(app)
    assert.deepEqual(await world.rows(), await world.wanted())
    await world.until(app.stop())
  })

  test('begins where each partition begins by now', async () => {
    const world = worldOf(8)
    const { app } = await world.launch()
    await world.until(fill(app, 40))
    await world.settle(app)
    const { log } = world.backend
    const ends = await world.until(log.ends(['goods.events']))
    for (const { topic, partition, next } of ends)
      await world.until(log.trim(topic, partition, next >> 1))
    const gone = ends.reduce((sum, { next }) => sum + (next >> 1), 0)
    const { events } = await world.until(app.rebuild(NAME))
    assert.equal(events, 40 - gone)
    assert.deepEqual(await world.rows(), await world.wanted())
    await world.until(app.stop())
  })

  test('stops where the log is damaged, and says where', async () => {
    const world = worldOf(9)
    const torn: Around = async (call, run) => {
      const answer = await run()
      if (call !== 'log.read' || !isTorn) return answer
      return (answer as readonly Slice[]).map((slice) =>
        slice.topic === 'goods.events' && slice.partition === 1 && slice.next > 0
          ? { ...slice, records: [], next: 0, damage: 'its sum is another' }
          : slice,
      )
    }
    let isTorn = false
    const { app } = await world.launch({}, torn)
    await world.until(fill(app, 40))
    await world.settle(app)
    isTorn = true
    const damaged = /REBUILD_FAILED: [^]*goods\.events\/1@0: its sum is another/
    await assert.rejects(world.until(app.rebuild(NAME)), damaged)
    assert.deepEqual(await world.rows(), await world.wanted())
    await world.until(app.stop())
  })

  test('rests while its service is paused', async () => {
    const world = worldOf(7)
    const { app } = await world.launch({})
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

test('rebuilt rows are the live ones, under load, through crashes and misfortune', async () => {
  const part = fc.record({
    count: fc.integer({ min: 1, max: 60 }),
    then: fc.constantFrom('rebuild', 'crash', 'wait', 'both') as fc.Arbitrary<string>,
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
        const world = worldOf(seed)
        const bad = misfortune(seededRandom(seed), rate)
        // What is not answered at start ends it; that is no matter of this test.
        let isUp = false
        const around: Around = (call, run, args) => (isUp ? bad(call, run, args) : run())
        // Between several instances nothing but a key has an order.
        const bend: Bend = isAlone ? {} : { by: 'item' }
        const engine = { unitRecordsMax }
        const launch = async () => {
          isUp = false
          const launched = await world.launch(bend, around, engine)
          isUp = rate > 0
          return launched
        }
        const steady = isAlone ? undefined : await world.launch(bend, undefined, engine)
        let other = await launch()
        const app = (): App => (steady ?? other).app
        let from = 0
        const waiting: Promise<unknown>[] = []
        for (const { count, then, waitMs } of parts) {
          const sent = fill(app(), count, from)
          from += count
          if (isAlone) await world.until(sent)
          if (then !== 'wait') waiting.push(app().rebuild(NAME).catch(mustBeUnlucky))
          await world.clock.advance(waitMs)
          if (then === 'crash' || then === 'both') {
            other.crash()
            other = await launch()
          }
          await world.until(sent)
        }
        if (!isAlone) await world.until(Promise.all(waiting))
        isUp = false
        const status = await world.settle(app())
        await world.swept()
        assert.deepEqual(await world.rows(), await world.wanted(bend))
        const own = status.find(({ consumer }) => consumer === NAME)
        assert.deepEqual([own?.accepted, own?.completed, own?.pending], [from, from, 0])
        await world.until(Promise.all([steady?.app.stop(), other.app.stop()]))
      },
    ),
    { numRuns: 25, seed: 77 },
  )
})

/** An instance that nobody answers may refuse to begin. */
function mustBeUnlucky(cause: unknown): void {
  if (!/ broke$|STORE_UNKNOWN/.test(String(cause))) throw cause
}

describe('a changed definition', () => {
  /** A world whose rows were made by a definition. */
  async function made(seed: number, bend: Bend, count = 30) {
    const world = worldOf(seed)
    const { app } = await world.launch(bend)
    await world.until(fill(app, count))
    await world.settle(app)
    await world.until(app.stop())
    return { world, old: await world.rows() }
  }

  test('is refused at start without a version, and nothing has changed', async () => {
    const { world, old } = await made(11, {})
    await assert.rejects(
      world.launch({ isMarked: true }),
      /PROJECTION_CHANGED: [^]*\n {2}- store\/shelves: its rules, by or indexes[^]*raise its version/,
    )
    assert.deepEqual(await world.rows(), old)
    const { app } = await world.launch()
    await world.until(fill(app, 5, 30))
    await world.settle(app)
    assert.deepEqual(await world.rows(), await world.wanted())
    await world.until(app.stop())
  })

  test('with a lower version is refused, too', async () => {
    const { world } = await made(12, { version: 3 })
    const launching = world.launch({ version: 2, isMarked: true })
    await assert.rejects(launching, /its rows were made by version 3, and this is 2/)
  })

  test('of which nothing was folded yet is taken as it is', async () => {
    const { world } = await made(13, {}, 0)
    const { app } = await world.launch({ isMarked: true })
    await world.until(fill(app, 10))
    await world.settle(app)
    assert.deepEqual(await world.rows(), await world.wanted({ isMarked: true }))
    await world.until(app.stop())
  })

  test('with a higher version is rebuilt at start; the rows stay until all are there', async () => {
    const { world, old } = await made(14, {}, 300)
    const bend: Bend = { version: 2, isMarked: true }
    const { app } = await world.launch(bend)
    await world.until(fill(app, 20, 300))
    const seen = new Set<string>()
    for (let count = 0; count < 400; count += 1) {
      seen.add(JSON.stringify(await world.rows()))
      await world.clock.advance(1)
    }
    await world.until(app.settled())
    const wanted = await world.wanted(bend)
    assert.deepEqual(await world.rows(), wanted)
    assert.ok(seen.has(JSON.stringify(old)), 'the former rows were there for a while')
    for (const rows of seen)
      if (rows !== JSON.stringify(old)) assert.doesNotMatch(rows, /"i-[^"]*[^!]"/, 'never both')
    await world.swept()
    await world.until(app.stop())
    // From then on it is the one that counts.
    const again = await world.launch(bend)
    assert.deepEqual(await world.rows(), wanted)
    await world.until(again.app.stop())
  })

  test('that dies in the middle of its rebuild goes on where it was', async () => {
    const { world } = await made(15, {}, 200)
    const bend: Bend = { version: 2, isMarked: true }
    const folded: string[] = []
    const tag = (item: string): string => (folded.push(item), '')
    let commits = 0
    const dying = await world.launch({ ...bend, tag }, async (call, run, args) => {
      // It stops answering once some of the shadow is there.
      const unit = call === 'store.commit' ? (args[0] as Unit) : undefined
      if (unit?.rows.some(({ table }) => table === SHADOW)) commits += 1
      if (commits > 1) await new Promise<never>(() => undefined)
      return run()
    })
    await world.until(fill(dying.app, 0))
    await world.clock.advance(3_000)
    dying.crash()
    const first = folded.length
    assert.ok(first > 0)
    const { app } = await world.launch({ ...bend, tag })
    await world.until(app.settled())
    assert.deepEqual(await world.rows(), await world.wanted(bend))
    await world.until(app.stop())
  })

  test('goes back to the former rows while the new ones are not there', async () => {
    const { world } = await made(16, {}, 60)
    const stuck: Around = async (call, run, args) => {
      const unit = call === 'store.commit' ? (args[0] as Unit) : undefined
      if (unit?.swap) await new Promise<never>(() => undefined)
      return run()
    }
    const second = await world.launch({ version: 2, isMarked: true }, stuck)
    await world.clock.advance(3_000)
    second.crash()
    const first = await world.launch()
    await world.until(fill(first.app, 10, 60))
    await world.settle(first.app)
    assert.deepEqual(await world.rows(), await world.wanted())
    await world.swept()
    await world.until(first.app.stop())
    const third = await world.launch({ version: 3, isMarked: true })
    await world.until(third.app.settled())
    assert.deepEqual(await world.rows(), await world.wanted({ isMarked: true }))
    await world.until(third.app.stop())
  })

  test('shuts out an instance of the former version, which says why', async () => {
    const { world } = await made(17, {}, 40)
    const former = await world.launch()
    await world.clock.advance(3_000)
    const bend: Bend = { version: 2, isMarked: true }
    const { app } = await world.launch(bend)
    await world.clock.advance(5_000)
    await world.until(fill(app, 40, 40))
    await world.clock.advance(10_000)
    await world.settle(app)
    assert.deepEqual(await world.rows(), await world.wanted(bend))
    assert.ok(world.broken.some((text) => /^store: Fault: PROJECTION_CHANGED/.test(text)))
    assert.equal((await world.until(former.app.health())).is, 'failing')
    await world.until(Promise.all([app.stop(), former.app.stop()]))
  })
})

test('a rebuild on disk is there after a restart', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'throughline-rebuild-'))
  try {
    const bend: Bend = { version: 2, isMarked: true }
    const wanted: unknown[] = []
    for (const each of [{}, bend, bend]) {
      const backend = embedded({ directory })
      await using app = await start([shelvesOf(each)], backend)
      if (wanted.length < 2) await fill(app, 50, 50 * wanted.length)
      await app.settled()
      if (wanted.length === 1) await app.rebuild(NAME)
      assert.deepEqual(await rowsIn(backend), await rowsOf(backend, each))
      wanted.push(await app.ask(Asked.Shelf({ shelf: 's-0' })))
    }
    assert.notDeepEqual(wanted[0], wanted[1])
    assert.deepEqual(wanted[1], wanted[2])
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test('what becomes of a build when a definition runs is one table', () => {
  const v1 = { version: 1, rules: 'a' }
  const v1b = { version: 1, rules: 'b' }
  const v2 = { version: 2, rules: 'b' }
  const retired = { ...v1, isRetired: true }
  const folding = { ...v2, is: 'folding' } as const
  const sweeping = { ...v1, is: 'sweeping' } as const
  const cases: readonly (readonly [typeof v1, Build | undefined, boolean, Build | string])[] = [
    [v1, undefined, true, { live: v1 }],
    [v1, { live: v1 }, true, { live: v1 }],
    [v1, { live: v1, shadow: sweeping }, true, { live: v1, shadow: sweeping }],
    [v1, { live: v1, shadow: folding }, true, { live: v1, shadow: { ...v1, is: 'sweeping' } }],
    [v1, { live: retired }, true, { live: retired, shadow: { ...v1, is: 'emptying' } }],
    [v1b, { live: v1 }, false, { live: v1b }],
    [v1b, { live: v1 }, true, 'its rules, by or indexes have changed, and its version is still 1'],
    [v1, { live: v2 }, true, 'its rows were made by version 2, and this is 1'],
    [v2, { live: v1 }, true, { live: v1, shadow: { ...v2, is: 'emptying' } }],
    [v2, { live: v1, shadow: folding }, true, { live: v1, shadow: folding }],
    [v2, { live: v1, shadow: sweeping }, true, { live: v1, shadow: { ...v2, is: 'emptying' } }],
    [
      { version: 3, rules: 'b' },
      { live: v1, shadow: folding },
      true,
      { live: v1, shadow: { version: 3, rules: 'b', is: 'emptying' } },
    ],
  ]
  for (const [definition, build, hasProgress, expected] of cases)
    assert.deepEqual(judge(definition, build, hasProgress), expected, JSON.stringify(build))
})
