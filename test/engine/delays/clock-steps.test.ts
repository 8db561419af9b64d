// Delays while the wall clock steps forward and back and processes restart: they are measured by
// elapsed time.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { after, become, command, contract, days, entity, event, finish, handler } from 'throughline'
import { hours, minutes, retryAfter, saga, service, start } from 'throughline'
import type { App, EngineOptions } from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import { runs } from '../../extent.ts'
import { EMPTY_UNIT } from '../../../src/ports/empty-unit.ts'
import { SKEW_MS } from '../../../src/engine/delays/delay-clock.ts'
import type { Instance } from '../support/simulation.ts'
import { createSimulation } from '../support/simulation.ts'

const YEARS_10 = days(3_650)
const RETRY_MS = 5_000
const LATER_MS = 6_000
const DELAY_MS = 7_000
const TIMER_MS = 8_000
const engine = {
  idleMs: 100,
  leaseMs: 300,
  retryDelayMs: RETRY_MS,
  retryDelayMsMax: RETRY_MS,
} satisfies Partial<EngineOptions>
/** The lease of a crashed process, a poll, and the path through the services. */
const TOLERANCE_MS = 1_000

const Id = z.object({ id: z.string() })
const Ovens = contract(
  'ovens',
  { key: 'id' },
  {
    Begin: command(z.object({ id: z.string(), delayMs: z.number() })),
    Ring: command(Id),
    Begun: event(z.object({ id: z.string(), delayMs: z.number() })),
    Rung: event(Id),
  },
)
const oven = entity(
  'oven',
  { of: Ovens, id: 'id', initial: 0 },
  {
    decide: (on) => [
      on(Ovens.Begin, (begin) => Ovens.Begun(begin)),
      on(Ovens.Ring, (ring) => Ovens.Rung(ring)),
    ],
    evolve: (on) => [on(Ovens.Begun, () => 1), on(Ovens.Rung, () => 2)],
  },
)

/** When a delay began and ended, by elapsed time. */
interface Waited {
  fromMs: number
  calledMs?: number
}

/** A service with delays of every kind, whose processes can be started one after another. */
function world(seed = 1, polls: Partial<EngineOptions> = {}) {
  const stage = createSimulation(memory, seed)
  const { clock } = stage
  const waits = new Map<string, Waited>()
  const broke: unknown[] = []
  const begin = (name: string): void => void waits.set(name, { fromMs: clock.elapsed() })
  const call = (name: string): void => {
    const waited = waits.get(name)
    if (waited) waited.calledMs ??= clock.elapsed()
  }
  const egg = saga('egg', { by: 'id', initial: 0, sends: [Ovens.Ring] }, (on) => [
    on(Ovens.Begun, ({ id, delayMs }) => {
      begin(`timer ${id}`)
      return [become(1), after(delayMs, Ovens.Ring({ id }))]
    }),
    on(Ovens.Rung, () => finish()),
  ])
  const bell = handler('bell', {}, (on) => [on(Ovens.Rung, ({ id }) => call(`timer ${id}`))])
  const again = handler('again', {}, (on) => [
    on(Ovens.Begun, ({ id }) => {
      if (waits.has(`retry ${id}`)) return call(`retry ${id}`)
      begin(`retry ${id}`)
      throw new Error('the first time')
    }),
  ])
  const later = handler('later', {}, (on) => [
    on(Ovens.Begun, ({ id }) => {
      if (waits.has(`later ${id}`)) return call(`later ${id}`)
      begin(`later ${id}`)
      return retryAfter(LATER_MS)
    }),
  ])
  const delayed = handler('delayed', { delayMs: DELAY_MS }, (on) => [
    on(Ovens.Begun, ({ id }) => call(`delayed ${id}`)),
  ])
  const ovens = service('ovens', { owns: [Ovens], runs: [oven, egg, bell, again, later, delayed] })
  let app: App | undefined
  let instance: (Instance & { crash(): void }) | undefined

  return {
    stage,
    clock,
    waits,
    broke,
    app: () => app as App,
    async launch() {
      instance = stage.instance()
      const { backend, random: any } = instance
      const random = (): number => 0.9 + 0.1 * any()
      const settings = { clock: instance.clock, random, onRuleError: () => undefined }
      const options = { ...settings, engine: { ...engine, ...polls } }
      const report = (_: string, cause: unknown): void => void broke.push(cause)
      app = await clock.until(start([ovens], backend, { ...options, onBackendError: report }))
    },
    crash: () => instance?.crash(),
    /** Sends messages that begin one delay of each kind. */
    async begin(id: string, delayMs = TIMER_MS) {
      begin(`delayed ${id}`)
      await clock.until((app as App).send(Ovens.Begin({ id, delayMs })))
      await clock.advance(100)
    },
    async end() {
      await clock.until((app as App).stop())
    },
  }
}

type World = ReturnType<typeof world>

const LONGEST: Readonly<Record<string, number>> = {
  retry: RETRY_MS,
  later: LATER_MS,
  delayed: DELAY_MS,
  timer: TIMER_MS,
}
/** Retries have jitter, here of a tenth. */
const SHORTEST: Readonly<Record<string, number>> = { ...LONGEST, retry: 0.9 * RETRY_MS }

/**
 * Delays that ended too early or too late: none may end later than if it began at `sinceMs`. The
 * wall clock and elapsed time may differ by `skewMs`.
 */
function wrong({ waits }: World, id: string, sinceMs = 0, skewMs = 0): readonly string[] {
  return Object.keys(LONGEST).flatMap((kind) => {
    const { fromMs = NaN, calledMs = NaN } = waits.get(`${kind} ${id}`) ?? {}
    const atLeast = fromMs + (SHORTEST[kind] ?? 0) - skewMs
    const atMost = Math.max(fromMs, sinceMs) + (LONGEST[kind] ?? 0) + TOLERANCE_MS + skewMs
    const isRight = calledMs >= atLeast && calledMs <= atMost
    return isRight ? [] : [`${kind} of ${id}: from ${fromMs}, called ${calledMs}`]
  })
}

describe('when the wall clock steps', () => {
  for (const [way, stepMs] of [
    ['an hour back', -hours(1)],
    ['an hour ahead', hours(1)],
    ['ten years ahead', YEARS_10],
  ] as const)
    test(`${way}, delays that began before and after the step end on time`, async () => {
      const stepped = world()
      await stepped.launch()
      await stepped.begin('before')
      stepped.clock.stepWallClock(stepMs)
      await stepped.begin('since')
      await stepped.clock.advance(15_000)
      assert.deepEqual([...wrong(stepped, 'before'), ...wrong(stepped, 'since')], [])
      await stepped.end()
    })

  test('an hour back, that is reported once; small corrections are not', async () => {
    const told = world()
    await told.launch()
    await told.clock.advance(1_000)
    told.clock.stepWallClock(-5_000)
    await told.clock.advance(1_000)
    assert.deepEqual(told.broke, [])
    told.clock.stepWallClock(-hours(1))
    await told.clock.advance(minutes(1))
    assert.equal(told.broke.length, 1)
    assert.match(String(told.broke[0]), /the wall clock stepped 3600 s back/)
    assert.equal((await told.clock.until(told.app().health())).status, 'well')
    await told.end()
  })

  test('far ahead, no lease is lost', async () => {
    const one = world()
    await one.launch()
    await one.begin('a')
    one.clock.stepWallClock(YEARS_10)
    await one.clock.advance(20_000)
    const { groups } = await one.clock.until(one.app().health())
    assert.ok(groups.every(({ leased, shards }) => leased === shards))
    assert.deepEqual(wrong(one, 'a'), [])
    await one.end()
  })

  test('back, the leases of a crashed process pass on after they expire', async () => {
    const died = world()
    await died.launch()
    await died.clock.advance(1_000)
    died.clock.stepWallClock(-hours(1))
    died.crash()
    await died.launch()
    await died.begin('a')
    await died.clock.advance(15_000)
    assert.deepEqual(wrong(died, 'a'), [])
    await died.end()
  })
})

describe('after a crash of a process whose wall clock was ten years ahead', () => {
  test('delays that began in it end on time, not in ten years', async () => {
    const future = world()
    future.clock.stepWallClock(YEARS_10)
    await future.launch()
    await future.begin('future')
    future.crash()
    future.clock.stepWallClock(-YEARS_10)
    const restartedMs = future.clock.elapsed()
    await future.launch()
    await future.begin('next')
    await future.clock.advance(15_000)
    assert.deepEqual([...wrong(future, 'future', restartedMs), ...wrong(future, 'next')], [])
    await future.end()
  })

  test('a long timer set in it does not start again with each restart', async () => {
    const future = world()
    future.clock.stepWallClock(YEARS_10)
    await future.launch()
    await future.begin('future', minutes(1))
    future.crash()
    future.clock.stepWallClock(-YEARS_10)
    const restartedMs = future.clock.elapsed()
    for (let restart = 0; restart < 5; restart += 1) {
      await future.launch()
      await future.clock.advance(15_000)
      await future.end()
    }
    const { calledMs } = future.waits.get('timer future') ?? {}
    const tookMs = Number(calledMs) - restartedMs
    assert.ok(tookMs >= minutes(1) - 200 && tookMs <= minutes(1) + TOLERANCE_MS, `${calledMs}`)
  })

  test('an hour too far, delays that began earlier are not an hour late', async () => {
    const future = world()
    await future.launch()
    await future.begin('before')
    await future.end()
    future.clock.stepWallClock(-hours(1))
    const restartedMs = future.clock.elapsed()
    await future.launch()
    await future.clock.advance(15_000)
    assert.deepEqual(wrong(future, 'before', restartedMs), [])
    await future.end()
  })
})

describe('when each process starts with a wall clock that is behind', () => {
  /** A timer of two minutes across short process lives; returns how late it fires. */
  async function lateMs(
    life: { readonly ms: number; readonly isKilled: boolean; readonly isPutRight: boolean },
    behindMs: number,
  ): Promise<number> {
    const behind = world(1, { idleMs: 2_000, leaseMs: 6_000 })
    await behind.launch()
    await behind.begin('long', minutes(2))
    const { fromMs } = behind.waits.get('timer long') as Waited
    await behind.clock.advance(life.ms)
    let isBehind = false
    const isOver = (): boolean => behind.waits.get('timer long')?.calledMs !== undefined
    for (let restart = 0; restart < 8 && !isOver(); restart += 1) {
      if (life.isKilled) behind.crash()
      else await behind.end()
      if (!isBehind) behind.clock.stepWallClock(-behindMs)
      await behind.launch()
      await behind.clock.advance(300)
      if (life.isPutRight) behind.clock.stepWallClock(behindMs)
      isBehind = !life.isPutRight
      await behind.clock.advance(life.ms)
    }
    await behind.end()
    return (behind.waits.get('timer long')?.calledMs ?? Infinity) - fromMs - minutes(2)
  }

  for (const [which, behindMs] of [
    ['an hour', hours(1)],
    ['decades', 8 * YEARS_10],
  ] as const)
    for (const isPutRight of [true, false]) {
      const then = isPutRight ? 'and is put right' : 'and stays so'
      test(`by ${which} ${then}, a timer does not start again with each start`, async () => {
        const late = await lateMs({ ms: 25_000, isKilled: false, isPutRight }, behindMs)
        assert.ok(late >= 0 && late <= 10_000, `late by ${late} ms`)
      })

      test(`by ${which} ${then}, and crashes, each start delays a timer by a minute at most`, async () => {
        const late = await lateMs({ ms: 70_000, isKilled: true, isPutRight }, behindMs)
        assert.ok(late >= 0 && late <= minutes(1) + 10_000, `late by ${late} ms`)
      })
    }
})

test('a hold of an earlier version, ten years ahead, is retried within the longest delay', async () => {
  const old = world()
  await old.launch()
  await old.begin('old')
  await old.end()
  const { store } = old.stage.backend
  const where = { index: 'consumer', equals: 'ovens/again' }
  const scanned = store.scan({ table: 'ovens.holds', where, limit: 10 })
  const [row] = await old.clock.until(scanned)
  assert.ok(row)
  const { delayMs: _, ...hold } = JSON.parse(row.body) as { due: number; delayMs: number }
  const body = JSON.stringify({ ...hold, due: hold.due + YEARS_10 })
  const { table, key, version } = row
  const index = { consumer: 'ovens/again' }
  const rows = [{ table, key, expected: version, version: version + 1, body, index }]
  await old.clock.until(store.commit({ ...EMPTY_UNIT, rows }))
  const restartedMs = old.clock.elapsed()
  await old.launch()
  await old.clock.advance(15_000)
  assert.deepEqual(wrong(old, 'old', restartedMs), [])
  await old.end()
})

type Act = { readonly stepMs: number } | { readonly passMs: number } | { readonly stops: boolean }

const acts: fc.Arbitrary<readonly Act[]> = fc.array(
  fc.oneof(
    fc.record({ stepMs: fc.integer({ min: -hours(3), max: hours(3) }) }),
    fc.record({ stepMs: fc.constantFrom(-YEARS_10, YEARS_10, -hours(1), hours(1), -500, 500) }),
    fc.record({ passMs: fc.integer({ min: 0, max: 3_000 }) }),
    fc.record({ stops: fc.boolean() }),
  ),
  { minLength: 1, maxLength: 8 },
)

test('no delay ends early or late, whatever the wall clock does across restarts', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), acts, async (seed, all) => {
      const any = world(seed)
      await any.launch()
      await any.begin('first')
      let restartedMs = 0
      // Whole milliseconds, and steps that are too small to be told from corrections.
      let skewMs = 1
      for (const [at, act] of all.entries()) {
        if ('stepMs' in act) {
          any.clock.stepWallClock(act.stepMs)
          if (Math.abs(act.stepMs) <= SKEW_MS) skewMs += Math.abs(act.stepMs)
          // A process sees a step within one poll.
          await any.clock.advance(engine.idleMs + 50)
          await any.begin(`timer-${at}`)
        } else if ('passMs' in act) await any.clock.advance(act.passMs)
        else {
          if (act.stops) await any.end()
          else any.crash()
          await any.launch()
          restartedMs = any.clock.elapsed()
        }
      }
      await any.clock.advance(15_000)
      // Times of storing have to do with the wall clock alone: a restart may take them for too young.
      const isStored = (line: string): boolean => line.startsWith('delayed')
      const ids = ['first', ...all.keys().map((at) => `timer-${at}`)]
      const begun = ids.filter((id) => any.waits.has(`delayed ${id}`))
      const lines = begun.flatMap((id) =>
        wrong(any, id, 0, skewMs).filter((line) => !isStored(line)),
      )
      const stored = wrong(any, 'first', restartedMs, skewMs).filter(isStored)
      assert.deepEqual([...lines, ...stored], [])
      await any.end()
    }),
    { numRuns: runs(6), seed: 41 },
  )
})
