// A projection whose definition has changed: refused without a version, rebuilt with one.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ProjectionState } from '../../../src/engine/plan/projection-state.ts'
import { nextProjectionState } from '../../../src/engine/plan/projection-state.ts'
import type { Unit } from '../../../src/ports/event-store.ts'
import type { Interceptor } from '../../../src/ports/intercept.ts'
import type { ShelvesVariant } from '../support/shelves-service.ts'
import { Goods, fill } from '../support/shelves-service.ts'
import { NAME, SHADOW, createShelvesWorld } from '../support/simulated-shelves.ts'

describe('a changed projection definition', () => {
  /** A world whose rows were made by one definition. */
  async function made(seed: number, bend: ShelvesVariant, count = 30) {
    const world = createShelvesWorld(seed)
    const { app } = await world.startApp(bend)
    await world.until(fill(app, count))
    await world.settle(app)
    await world.until(app.stop())
    return { world, old: await world.rows() }
  }

  test('is refused at start without a new version, and changes nothing', async () => {
    const { world, old } = await made(11, {})
    await assert.rejects(
      world.startApp({ by: 'item' }),
      /PROJECTION_CHANGED: [^]*\n {2}- store\/shelves: its by, indexes or messages[^]*raise its version/,
    )
    assert.deepEqual(await world.rows(), old)
    const { app } = await world.startApp()
    await world.until(fill(app, 5, 30))
    await world.settle(app)
    assert.deepEqual(await world.rows(), await world.expected())
    await world.until(app.stop())
  })

  test('continues from the rows and warns where only the source text has changed', async () => {
    const { world, old } = await made(19, {})
    const same = await world.startApp()
    await world.clock.advance(3_000)
    await world.until(same.app.stop())
    assert.deepEqual(world.changed, [])
    const { app } = await world.startApp({ isMarked: true })
    await world.until(fill(app, 1, 30))
    await world.settle(app)
    const rows = await world.rows()
    assert.notDeepEqual(rows, old)
    assert.match(JSON.stringify(rows), /"i-[^]*"\+i-/, 'the new rules continue from the old rows')
    assert.deepEqual(world.changed, [NAME])
    const { status, alarms } = await world.until(app.health())
    assert.equal(status, 'well')
    assert.partialDeepStrictEqual(alarms, [
      { kind: 'changed-projection', isDegrading: false, consumer: NAME },
    ])
    assert.match(
      alarms[0]?.message ?? '',
      /store\/shelves .* still 1: raise it if the rules now make/,
    )
    await world.until(app.rebuild(NAME))
    await world.shadowsGone()
    assert.deepEqual(await world.rows(), await world.expected({ isMarked: true }))
    assert.deepEqual((await world.until(app.health())).alarms, [])
    await world.until(app.stop())
    assert.deepEqual(world.changed, [NAME], 'once')
  })

  test('restarts a rebuild that a different source text had begun', async () => {
    const { world } = await made(20, {}, 60)
    const stuck: Interceptor = async (call, run, args) => {
      const unit = call === 'store.commit' ? (args[0] as Unit) : undefined
      if (unit?.swap) await new Promise<never>(() => undefined)
      return run()
    }
    const first = await world.startApp({ version: 2 }, stuck)
    await world.clock.advance(3_000)
    first.crash()
    const bend: ShelvesVariant = { version: 2, isMarked: true }
    const { app } = await world.startApp(bend)
    await world.until(app.settled())
    assert.deepEqual(await world.rows(), await world.expected(bend))
    assert.deepEqual(world.changed, [])
    await world.until(app.stop())
  })

  test('is refused with a lower version', async () => {
    const { world } = await made(12, { version: 3 })
    const launching = world.startApp({ version: 2, isMarked: true })
    await assert.rejects(launching, /its rows were made by version 3, which is newer than 2/)
  })

  test('is accepted if no event was folded yet', async () => {
    const { world } = await made(13, {}, 0)
    const { app } = await world.startApp({ isMarked: true })
    await world.until(fill(app, 10))
    await world.settle(app)
    assert.deepEqual(await world.rows(), await world.expected({ isMarked: true }))
    await world.until(app.stop())
  })

  test('is rebuilt at start with a higher version; the old rows serve until the rebuild is complete', async () => {
    const { world, old } = await made(14, {}, 300)
    const bend: ShelvesVariant = { version: 2, isMarked: true }
    const { app } = await world.startApp(bend)
    await world.until(fill(app, 20, 300))
    const seen = new Set<string>()
    for (let count = 0; count < 400; count += 1) {
      seen.add(JSON.stringify(await world.rows()))
      await world.clock.advance(1)
    }
    await world.until(app.settled())
    const wanted = await world.expected(bend)
    assert.deepEqual(await world.rows(), wanted)
    assert.ok(seen.has(JSON.stringify(old)), 'the former rows were there for a while')
    for (const rows of seen)
      if (rows !== JSON.stringify(old)) assert.doesNotMatch(rows, /"i-[^"]*[^!]"/, 'never both')
    await world.shadowsGone()
    await world.until(app.stop())
    // From then on it is the one that counts.
    const again = await world.startApp(bend)
    assert.deepEqual(await world.rows(), wanted)
    await world.until(again.app.stop())
  })

  test('continues its rebuild after a crash', async () => {
    const { world } = await made(15, {}, 200)
    const bend: ShelvesVariant = { version: 2, isMarked: true }
    const folded: string[] = []
    const tag = (item: string): string => (folded.push(item), '')
    let commits = 0
    const dying = await world.startApp({ ...bend, tag }, async (call, run, args) => {
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
    const { app } = await world.startApp({ ...bend, tag })
    await world.until(app.settled())
    assert.deepEqual(await world.rows(), await world.expected(bend))
    await world.until(app.stop())
  })

  test('folds no held event into the old rows', async () => {
    const world = createShelvesWorld(18)
    const tag = (item: string): string => {
      if (item === 'i-0') throw new Error('not now')
      return ''
    }
    const first = await world.startApp({ tag })
    await world.until(fill(first.app, 40))
    await world.clock.advance(1_000)
    await world.until(first.app.stop())
    const [rows, held] = [await world.rows(), await world.rows('store.held')]
    assert.ok(Object.keys(held).length > 0)
    const stuck: Interceptor = async (call, run, args) => {
      const unit = call === 'store.commit' ? (args[0] as Unit) : undefined
      if (unit?.rows.some(({ table }) => table === SHADOW)) await new Promise(() => undefined)
      return run()
    }
    const bend: ShelvesVariant = { version: 2, isMarked: true }
    const second = await world.startApp(bend, stuck)
    await world.clock.advance(200_000)
    // And keeps nobody else waiting.
    const sent = await world.until(second.app.send(Goods.Put({ item: 'i-1', shelf: 's-0' })))
    assert.deepEqual(await world.until(sent.accepted()), { status: 'accepted' })
    second.crash()
    assert.deepEqual([await world.rows(), await world.rows('store.held')], [rows, held])
    const third = await world.startApp(bend)
    await world.until(third.app.settled())
    assert.deepEqual(await world.rows(), await world.expected(bend))
    assert.deepEqual(await world.rows('store.held'), {})
    await world.until(third.app.stop())
  })

  test('returns to the old rows if it is reverted before the rebuild is complete', async () => {
    const { world } = await made(16, {}, 60)
    const stuck: Interceptor = async (call, run, args) => {
      const unit = call === 'store.commit' ? (args[0] as Unit) : undefined
      if (unit?.swap) await new Promise<never>(() => undefined)
      return run()
    }
    const second = await world.startApp({ version: 2, isMarked: true }, stuck)
    await world.clock.advance(3_000)
    second.crash()
    const first = await world.startApp()
    await world.until(fill(first.app, 10, 60))
    await world.settle(first.app)
    assert.deepEqual(await world.rows(), await world.expected())
    await world.shadowsGone()
    await world.until(first.app.stop())
    const third = await world.startApp({ version: 3, isMarked: true })
    await world.until(third.app.settled())
    assert.deepEqual(await world.rows(), await world.expected({ isMarked: true }))
    await world.until(third.app.stop())
  })

  test('stops an instance of the old version, which reports why', async () => {
    const { world } = await made(17, {}, 40)
    const former = await world.startApp()
    await world.clock.advance(3_000)
    const bend: ShelvesVariant = { version: 2, isMarked: true }
    const { app } = await world.startApp(bend)
    await world.clock.advance(5_000)
    await world.until(fill(app, 40, 40))
    await world.clock.advance(10_000)
    await world.settle(app)
    assert.deepEqual(await world.rows(), await world.expected(bend))
    assert.ok(world.broken.some((text) => text.startsWith('store: Fault: PROJECTION_CHANGED')))
    assert.equal((await world.until(former.app.health())).status, 'failing')
    await world.until(Promise.all([app.stop(), former.app.stop()]))
  })
})

test('the next projection state follows from a table', () => {
  const of = (version: number, rules: string, declared = '2:d') => ({
    version,
    declared,
    rules: `2:${rules}`,
  })
  const v1 = of(1, 'a')
  const v1b = of(1, 'b')
  const v1d = of(1, 'a', '2:other')
  const v2 = of(2, 'b')
  const v3 = of(3, 'b')
  // As an earlier version of Throughline stored it.
  const former = { version: 1, rules: 'c' }
  const retired = { ...v1, isRetired: true }
  const folding = { ...v2, is: 'folding' } as const
  const sweeping = { ...v1, is: 'sweeping' } as const
  const emptying = <D extends object>(definition: D) => ({ ...definition, is: 'emptying' }) as const
  const changed =
    'its by, indexes or messages have changed but not its version: raise version from 1'
  const cases: readonly (readonly [
    typeof v1,
    ProjectionState | undefined,
    boolean,
    ProjectionState | string,
  ])[] = [
    [v1, undefined, true, { live: v1 }],
    [v1, { live: v1 }, true, { live: v1 }],
    [v1, { live: v1, shadow: sweeping }, true, { live: v1, shadow: sweeping }],
    [v1, { live: v1, shadow: folding }, true, { live: v1, shadow: { ...v1, is: 'sweeping' } }],
    [v1, { live: retired }, true, { live: retired, shadow: emptying(v1) }],
    [v1b, { live: v1 }, false, { live: v1b }],
    [v1b, { live: v1 }, true, { live: v1 }],
    [v1b, { live: v1, shadow: sweeping }, true, { live: v1, shadow: sweeping }],
    [
      v1b,
      { live: v1, shadow: { ...v1, is: 'folding' } },
      true,
      { live: v1, shadow: emptying(v1b) },
    ],
    [v1, { live: former }, true, { live: v1 }],
    [v1d, { live: v1 }, false, { live: v1d }],
    [v1d, { live: v1 }, true, changed],
    [v1, { live: v2 }, true, 'its rows were made by version 2, which is newer than 1'],
    [v2, { live: v1 }, true, { live: v1, shadow: emptying(v2) }],
    [v2, { live: former }, true, { live: former, shadow: emptying(v2) }],
    [v2, { live: v1, shadow: folding }, true, { live: v1, shadow: folding }],
    [v2, { live: v1, shadow: sweeping }, true, { live: v1, shadow: emptying(v2) }],
    [v3, { live: v1, shadow: folding }, true, { live: v1, shadow: emptying(v3) }],
  ]
  for (const [definition, build, hasProgress, expected] of cases)
    assert.deepEqual(
      nextProjectionState(definition, build, hasProgress),
      expected,
      JSON.stringify(build),
    )
})
