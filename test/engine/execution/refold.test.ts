// States follow the current evolve rules, whatever rules folded the stored rows.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Service } from 'throughline'
import { Fault, command, contract, entity, event, query } from 'throughline'
import { queryHandler, service, start } from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import { runs } from '../../extent.ts'
import { rulesOfEntity } from '../../../src/engine/plan/rule-fingerprint.ts'
import type { EntityRow } from '../../../src/engine/plan/entity-fold.ts'
import { createEntityFold } from '../../../src/engine/plan/entity-fold.ts'
import { createRefold } from '../../../src/engine/execution/refold.ts'
import type { CachedRow } from '../../../src/engine/rows/row-cache.ts'
import type { LogRecord } from '../../../src/ports/event-log.ts'
import type { Backend, EventStore, Row, Unit } from '../../../src/ports/event-store.ts'
import { intercept } from '../../../src/ports/intercept.ts'
import { numbersUpTo } from '../support/ledger-service.ts'
import { testClock, createSimulation } from '../support/simulation.ts'

const Add = z.object({ jar: z.string(), beans: z.int() })
const Jars = contract(
  'jars',
  { key: 'jar' },
  {
    Fill: command(Add),
    Look: command(Add, { refuses: ['nothing-to-see'] }),
    Filled: event(Add),
    Count: query(z.object({ jar: z.string() }), { answers: z.unknown() }),
    All: query(z.object({}), { answers: z.unknown() }),
  },
)
type Evolve = (data: z.infer<typeof Add>, beans: number) => number

/** The decisions, and the states they saw. */
type Seen = (jar: string, beans: number) => void

function jarsOf(evolve: Evolve, seen: Seen = () => undefined, version = 1): Service {
  const jar = entity(
    'jar',
    { of: Jars, id: 'jar', initial: 0, version },
    {
      decide: (on) => [
        on(Jars.Fill, (data, beans) => {
          seen(data.jar, beans)
          return Jars.Filled(data)
        }),
        on(Jars.Look, (data, beans) => {
          seen(data.jar, beans)
          return []
        }),
      ],
      evolve: (on) => [on(Jars.Filled, evolve)],
    },
  )
  const reading = queryHandler('reading', { of: Jars, reads: [jar] }, (on) => [
    on(Jars.Count, ({ jar: id }, read) => read(jar).get(id)),
    on(Jars.All, async (_, read) => (await read(jar).find()).rows.map(({ row }) => row)),
  ])
  return service('pantry', { owns: [Jars], runs: [jar, reading] })
}
const sum: Evolve = ({ beans }, before) => before + beans
const count: Evolve = (_, before) => before + 1

/** The rows stay for the next app. */
function lasting(): { readonly backend: Backend; readonly calls: string[] } {
  const calls: string[] = []
  const whole = memory()
  const { log, store } = intercept(whole, (call, run) => {
    calls.push(call)
    return run()
  })
  const close = async (): Promise<void> => undefined
  return { backend: { log: { ...log, close }, store: { ...store, close } }, calls }
}

async function filled(backend: Backend, evolve: Evolve = sum): Promise<void> {
  await using app = await start([jarsOf(evolve)], backend)
  for (const jar of ['a', 'b', 'c'])
    for (const beans of [10, 20]) await app.send(Jars.Fill({ jar, beans }))
  await app.settled()
}

async function rowOf(backend: Backend, key: string): Promise<Row & { value: EntityRow }> {
  const [row] = await backend.store.get([{ table: 'pantry.jar', key }])
  assert.ok(row)
  return { ...row, value: JSON.parse(row.body) as EntityRow }
}

describe('a state that was folded by other rules', () => {
  test('is folded again before a decision, and written with its unit', async () => {
    const { backend } = lasting()
    await filled(backend)
    const before = await rowOf(backend, 'a')
    assert.equal(before.value.state, 30)
    const decided: [string, number][] = []
    const seen: Seen = (...each) => void decided.push(each)
    await using app = await start([jarsOf(count, seen)], backend)
    await app.send(Jars.Fill({ jar: 'a', beans: 5 }))
    await app.send(Jars.Look({ jar: 'b', beans: 0 }))
    await app.settled()
    assert.deepEqual(
      decided.toSorted(([a], [b]) => (a < b ? -1 : 1)),
      [
        ['a', 2],
        ['b', 2],
      ],
    )
    const after = await rowOf(backend, 'a')
    assert.deepEqual([after.version, after.value.state], [3, 3])
    assert.notEqual(after.value.rules, before.value.rules)
    // Only looked at: the same version, with the state of today.
    const looked = await rowOf(backend, 'b')
    assert.deepEqual([looked.version, looked.value.state], [2, 2])
    assert.equal(looked.value.rules, after.value.rules)
    assert.equal((await rowOf(backend, 'c')).value.state, 30, 'nobody has looked at it')
  })

  test('is folded again for a query, once', async () => {
    const { backend, calls } = lasting()
    await filled(backend)
    await using app = await start([jarsOf(count)], backend)
    assert.equal(await app.ask(Jars.Count({ jar: 'a' })), 2)
    assert.deepEqual(await app.ask(Jars.All({})), [2, 2, 2])
    const folds = (): number => calls.filter((call) => call === 'store.stream').length
    assert.equal(folds(), 3)
    assert.deepEqual(await app.ask(Jars.All({})), [2, 2, 2])
    assert.equal(folds(), 3)
    assert.equal(await app.ask(Jars.Count({ jar: 'nowhere' })), undefined)
  })

  test('is not folded again while the rules are unchanged', async () => {
    const { backend, calls } = lasting()
    await filled(backend)
    await using app = await start([jarsOf(sum)], backend)
    await app.send(Jars.Fill({ jar: 'a', beans: 5 }))
    await app.settled()
    assert.equal(await app.ask(Jars.Count({ jar: 'a' })), 35)
    assert.deepEqual(
      calls.filter((call) => call === 'store.stream'),
      [],
    )
  })

  test('that cannot be folded again holds only its own key, and fails queries', async () => {
    const { backend } = lasting()
    await filled(backend)
    const faults: string[] = []
    const picky: Evolve = ({ jar }, before) => {
      if (jar === 'b') throw new Error('no beans in b')
      return before + 1
    }
    await using app = await start([jarsOf(picky)], backend, {
      onRuleError: ({ key, error }) => void faults.push(`${key}: ${error}`),
    })
    await app.send(Jars.Fill({ jar: 'b', beans: 1 }))
    const other = await app.send(Jars.Fill({ jar: 'a', beans: 1 }))
    assert.deepEqual(await other.accepted(), { status: 'accepted' })
    assert.equal(await app.ask(Jars.Count({ jar: 'a' })), 3)
    await assert.rejects(
      app.ask(Jars.Count({ jar: 'b' })),
      /folded again at jars.Filled .*no beans/,
    )
    assert.match(faults[0] ?? '', /^b: RULE_RETURNED: .*jar b cannot be folded again/s)
    assert.equal((await rowOf(backend, 'b')).value.state, 30, 'and stays as it was')
  })

  test('is folded from events of earlier versions, upcast', async () => {
    const { backend } = lasting()
    await filled(backend)
    const Counted = z.object({ jar: z.string(), count: z.int() })
    const rowsBy = async (factor: number): Promise<unknown> => {
      const up = ({ jar, beans }: z.infer<typeof Add>) => ({ jar, count: beans * 2 })
      const more = ({ jar, beans }: z.infer<typeof Add>) => ({ jar, count: beans * 3 })
      const was = [[Add, factor === 2 ? up : more]] as const
      const Later = contract(
        'jars',
        { key: 'jar' },
        {
          Fill: command(Add),
          Look: command(Add, { refuses: ['nothing-to-see'] }),
          Filled: event(Counted, { upcasters: was }),
          Count: query(z.object({ jar: z.string() }), { answers: z.unknown() }),
        },
      )
      const jar = entity(
        'jar',
        { of: Later, id: 'jar', initial: 0 },
        {
          decide: (on) => [
            on(Later.Fill, ({ jar, beans }) => Later.Filled({ jar, count: beans })),
            on(Later.Look, () => []),
          ],
          evolve: (on) => [on(Later.Filled, ({ count: beans }, before) => before + beans)],
        },
      )
      const reading = queryHandler('reading', { of: Later, reads: [jar] }, (on) => [
        on(Later.Count, ({ jar: id }, read) => read(jar).get(id)),
      ])
      const pantry = service('pantry', { owns: [Later], runs: [jar, reading] })
      await using app = await start([pantry], backend)
      return app.ask(Later.Count({ jar: 'a' }))
    }
    assert.equal(await rowsBy(2), 60)
    assert.equal(await rowsBy(3), 90, 'another up is another rule')
  })

  test('with missing events fails and says so', async () => {
    const { backend } = lasting()
    await filled(backend)
    const stream: EventStore['stream'] = async (row, from, limit) =>
      (await backend.store.stream(row, from, limit)).filter(({ data }) => !data?.includes('10'))
    const holed = { log: backend.log, store: { ...backend.store, stream } }
    await using app = await start([jarsOf(count)], holed)
    await assert.rejects(app.ask(Jars.Count({ jar: 'a' })), { code: 'STREAM_INCOMPLETE' })
  })
})

test('states follow the current rules through rule changes and crashes', async () => {
  const rules: readonly Evolve[] = [
    sum,
    count,
    ({ beans }, before) => 3 * before + beans,
    ({ beans }, before) => Math.max(before, beans),
  ]
  const step = fc.record({
    rule: fc.nat(rules.length - 1),
    beans: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 6 }),
    doesCrash: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(
      fc.nat(),
      fc.array(step, { minLength: 2, maxLength: 5 }),
      async (seed, steps) => {
        const { clock, instance } = createSimulation(memory, seed)
        const all: number[] = []
        for (const { rule, beans, doesCrash } of steps) {
          const evolve = rules[rule] as Evolve
          const { backend, random, crash, clock: own } = instance()
          const engine = { leaseMs: 1_000, unitRecordsMax: 2 }
          const options = { clock: own, random, engine }
          const app = await clock.until(start([jarsOf(evolve)], backend, options))
          for (const each of beans)
            await clock.until(app.send(Jars.Fill({ jar: 'a', beans: each })))
          all.push(...beans)
          await clock.until(app.settled())
          const state = all.reduce((before, each) => evolve({ jar: 'a', beans: each }, before), 0)
          assert.equal(await clock.until(app.ask(Jars.Count({ jar: 'a' }))), state)
          if (doesCrash) crash()
          else await clock.until(app.stop())
        }
      },
    ),
    { numRuns: runs(10), seed: 5 },
  )
})

describe('the fingerprint of evolve rules', () => {
  const namesOf = (...services: readonly Service[]): readonly string[] =>
    services.map(({ runs }) => rulesOfEntity(runs[0] as Parameters<typeof rulesOfEntity>[0]))

  test('depends on their code and stated version', () => {
    const [a, again, b, raised] = namesOf(
      jarsOf(sum),
      jarsOf(sum),
      jarsOf(count),
      jarsOf(sum, undefined, 2),
    )
    assert.equal(a, again)
    assert.equal(new Set([a, b, raised]).size, 3)
  })
})

/** A store with one long stream and its row, to test folding alone. */
function longStore(length: number, gone: ReadonlySet<number> = new Set()) {
  const rows = new Map<string, Row>()
  const asked: number[] = []
  let breaksAt = Infinity
  const recordAt = (version: number): LogRecord =>
    ({
      topic: 'jars.events',
      partition: 0,
      offset: version,
      position: version,
      id: `e-${version}`,
      key: 'a',
      type: 'jars.Filled',
      at: 0,
      head: '{"source":"pantry","correlation":"c","hops":1}',
      data: `{"jar":"a","beans":${version}}`,
    }) as LogRecord
  const versions = numbersUpTo(length).map((at) => at + 1)
  const kept = versions.filter((version) => !gone.has(version))
  const stream: EventStore['stream'] = async (_, from, limit) => {
    if (from + limit > breaksAt) throw new Error('it broke')
    const first = gone.size === 0 ? from - 1 : kept.findIndex((version) => version >= from)
    const page = first < 0 ? [] : kept.slice(first, first + limit)
    asked.push(page.length)
    return page.map(recordAt)
  }
  const store = {
    stream,
    get: async ([row]: readonly Row[]) => [row && rows.get(row.key)],
    async commit({ rows: writes }: Unit) {
      for (const { table, key, version, body } of writes)
        if (body === null) rows.delete(key)
        else rows.set(key, { table, key, version, body })
      return { status: 'done', places: [] }
    },
  } as unknown as EventStore
  return { store, rows, asked, breakAt: (version: number) => void (breaksAt = version) }
}

describe('a stream', () => {
  const [jar] = jarsOf(count).runs
  const fold = createEntityFold(jar as Parameters<typeof createEntityFold>[0], 'pantry.jar')
  const stale = (version: number): CachedRow => ({
    table: 'pantry.jar',
    key: 'a',
    version,
    value: { state: 0, rules: 'old' } satisfies EntityRow,
    bytes: 0,
  })
  const folding = async (store: EventStore, version: number): Promise<CachedRow | undefined> => {
    const clock = testClock()
    const folds = new Map([['pantry.jar', fold]])
    const refold = createRefold({
      store,
      clock,
      folds,
      snapshots: 'pantry.snapshots',
      computeMsMax: 200,
    })
    return (await clock.until(refold([stale(version)])))[0]
  }
  const stateOf = (cell: CachedRow | undefined): unknown =>
    (cell?.value as EntityRow | undefined)?.state

  test('of any length is read in pages and folded completely', async () => {
    for (const length of [1, 499, 500, 501, 1_000, 1_001, 9_999]) {
      const { store, asked } = longStore(length)
      const cell = await folding(store, length)
      assert.deepEqual([stateOf(cell), cell?.version, cell?.fault], [length, length, undefined])
      assert.ok(Math.max(...asked) <= 501)
    }
  })

  test('with a missing event is never accepted', async () => {
    const length = 1_700
    const holes = fc.uniqueArray(fc.integer({ min: 1, max: length }), {
      minLength: 1,
      maxLength: 4,
    })
    const edges = [1, 499, 500, 501, 999, 1_000, 1_001, 1_500, 1_501, 1_699, 1_700]
    for (const gone of [
      ...edges.map((edge) => [edge]),
      ...fc.sample(holes, { numRuns: 60, seed: 3 }),
    ]) {
      const { store } = longStore(length, new Set(gone))
      const cell = await folding(store, length)
      assert.ok(cell?.fault instanceof Fault, `holes at ${gone.join()}`)
      assert.equal(cell.fault.code, 'STREAM_INCOMPLETE')
    }
  })

  test('continues from its snapshot after a crash, and leaves none behind', async () => {
    const long = longStore(35_000)
    long.breakAt(33_000)
    await assert.rejects(folding(long.store, 35_000), /it broke/)
    assert.equal(long.rows.size, 1)
    long.breakAt(Infinity)
    const before = long.asked.length
    const cell = await folding(long.store, 35_000)
    assert.equal(stateOf(cell), 35_000)
    assert.ok(long.asked.length - before <= 11, 'five thousand events, not all of them')
    assert.deepEqual([...long.rows.keys()], ['a'], 'the row is written, the snapshot is gone')
    assert.equal(cell?.isRefolded, undefined)
  })

  test('is folded from the start if the snapshot is of other rules', async () => {
    const long = longStore(20_001)
    const body = JSON.stringify({ rules: 'others', version: 20_000, state: 7 })
    long.rows.set('jar:a', { table: 'pantry.snapshots', key: 'jar:a', version: 1, body })
    assert.equal(stateOf(await folding(long.store, 20_001)), 20_001)
    assert.deepEqual([...long.rows.keys()], ['a'])
  })
})
