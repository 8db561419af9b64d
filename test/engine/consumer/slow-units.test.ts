// Rules that are each within their budget but together block the event loop: their units are
// committed early.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { StartOptions } from 'throughline'
import { command, contract, entity, event, handler, projection, service, start } from 'throughline'
import { query, queryHandler, tool } from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import type { Unit } from '../../../src/ports/event-store.ts'
import { intercept } from '../../../src/ports/intercept.ts'
import { testClock, findImbalances, sharedBackend } from '../support/simulation.ts'

const Id = z.object({ id: z.string() })
const Work = contract('work', { key: 'id', partitions: 2 }, { Do: command(Id), Done: event(Id) })
const MESSAGES = 60
const EACH_MS = 40

type SlowUnits = Parameters<NonNullable<StartOptions['onSlowUnits']>>[0]

/**
 * Runs commands whose `slow` rule takes 40 ms each, and records how long each unit has computed.
 */
async function run(
  slow: 'deciding' | 'naming' | 'outside',
  keyCount: number,
  order: 'stream' | 'queue',
) {
  const clock = testClock()
  let spentMs = 0
  let lastMs = 0
  const units: number[] = []
  const take = (rule: string): void => void (spentMs += rule === slow ? EACH_MS : 0)
  let names = 0
  const named = ({ id }: { id: string }): string[] => {
    names += 1
    take('naming')
    return [id]
  }
  const deciding = entity(
    'deciding',
    { of: Work, id: 'id', initial: 0 },
    {
      decide: (on) => [
        on(Work.Do, { ids: named }, (asked) => {
          take('deciding')
          return Work.Done(asked)
        }),
      ],
      evolve: (on) => [on(Work.Done, (_, count) => count + 1)],
    },
  )
  const rows = projection('rows', { by: 'id', row: tool<{ count: number }>() }, (on) => [
    on(Work.Done, (_, row) => ({ count: (row?.count ?? 0) + 1 })),
  ])
  const calls: string[] = []
  const outside = handler('outside', { consume: order }, (on) => [
    on(Work.Done, (_, _tools, { effectKey }) => {
      take('outside')
      calls.push(effectKey)
    }),
  ])
  const backend = intercept(memory({ clock }), async (method, call, [unit]) => {
    if (method === 'store.commit' && (unit as Unit).progress.length > 0) {
      units.push(spentMs - lastMs)
      lastMs = spentMs
    }
    return call()
  })
  const told: SlowUnits[] = []
  const shop = service('shop', { owns: [Work], runs: [deciding, rows, outside] })
  const app = await clock.until(
    start([shop], backend, {
      clock: { ...clock, elapsed: () => clock.elapsed() + spentMs },
      onSlowUnits: (slowUnits) => void told.push(slowUnits),
    }),
  )
  const messages = Array.from({ length: MESSAGES }, (_, at) => Work.Do({ id: `k${at % keyCount}` }))
  await clock.until(app.append(messages))
  await clock.until(app.settled())
  const { slowUnits } = await clock.until(app.health())
  const status = await clock.until(app.status())
  await clock.until(app.stop())
  assert.deepEqual(findImbalances(status), [])
  assert.deepEqual(
    status.map(({ completed }) => completed),
    [MESSAGES, MESSAGES, MESSAGES],
  )
  return { units, calls, told, slowUnits, names }
}

suite('a unit ends early once its rules have computed for 200 ms', () => {
  for (const [slow, group, order] of [
    ['deciding', 'shop', 'stream'],
    ['outside', 'shop/outside', 'stream'],
    ['outside', 'shop/outside', 'queue'],
  ] as const)
    for (const keyCount of [1, 7, MESSAGES])
      test(`${slow} (${order}), ${keyCount} keys: the event loop is not blocked for longer, and it is reported once`, async () => {
        const { units, calls, told, slowUnits } = await run(slow, keyCount, order)
        assert.ok(
          Math.max(...units) <= 200 + EACH_MS,
          `a unit computed for ${Math.max(...units)} ms`,
        )
        assert.equal(new Set(calls).size, MESSAGES)
        assert.equal(calls.length, MESSAGES, 'no handler is called twice')
        assert.deepEqual(
          told.map((each) => each.group),
          [group],
        )
        const [first] = slowUnits
        assert.equal(slowUnits.length, 1)
        assert.ok((first?.count ?? 0) >= MESSAGES / 6 - 2)
        assert.deepEqual([first?.group, first?.limitMs], [group, 200])
        assert.ok((first?.worst.tookMs ?? 0) > 200)
      })

  test('slow ids functions run once ahead and once with the rule, not per unit', async () => {
    const { units, names } = await run('naming', MESSAGES, 'stream')
    // All of them are named at the door once more, before the first unit.
    const atDoorMs = MESSAGES * EACH_MS
    const longest = Math.max((units[0] ?? 0) - atDoorMs, ...units.slice(1))
    assert.ok(longest <= 200 + 2 * EACH_MS, `a unit computed for ${longest} ms`)
    assert.ok(names <= 4 * MESSAGES, `${names} times for ${MESSAGES} messages`)
  })
})

/**
 * Rebuilds a projection of which one part takes 40 ms per event, and records what each unit
 * computed.
 */
async function rebuilt(slow: 'rule' | 'ids' | 'upcast') {
  const clock = testClock()
  let [spentMs, lastMs, version] = [0, 0, 1]
  const take = (part: string): void =>
    void (spentMs += part === slow && version === 2 ? EACH_MS : 0)
  const Later = z.object({ id: z.string(), count: z.int() })
  const jobs = () => {
    const upcasters = [
      [
        Id,
        ({ id }: z.infer<typeof Id>) => {
          take('upcast')
          return { id, count: 1 }
        },
      ],
    ] as const
    const Done = version === 1 ? event(Id) : event(Later, { upcasters: upcasters })
    const Jobs = contract('jobs', { key: 'id', partitions: 2 }, { Done })
    const rows = projection(
      'rows',
      { by: 'id', row: tool<{ count: number }>(), version, startFrom: 'beginning' },
      (on) => [
        on(
          Jobs.Done as typeof Jobs.Done & { readonly kind: 'event' },
          {
            ids: ({ id }: z.infer<typeof Id>) => {
              take('ids')
              return [id]
            },
          },
          (_: unknown, row: { count: number } | undefined) => {
            take('rule')
            return { count: (row?.count ?? 0) + 1 }
          },
        ),
      ],
    )
    return { Jobs, shop: service('shop', { owns: [Jobs], runs: [rows] }) }
  }
  const units: number[] = []
  const backend = sharedBackend(memory({ clock }), async (method, call, [unit]) => {
    const { progress = [] } = method === 'store.commit' ? (unit as Unit) : {}
    if (progress.some(({ consumer, completed }) => /shadow/.test(consumer) && completed > 0)) {
      units.push(spentMs - lastMs)
      lastMs = spentMs
    }
    return call()
  })
  const own = { ...clock, elapsed: () => clock.elapsed() + spentMs }
  const first = jobs()
  const before = await clock.until(start([first.shop], backend, { clock: own }))
  await clock.until(
    before.append(
      Array.from({ length: MESSAGES }, (_, at) => first.Jobs.Done({ id: `k${at % 7}` } as never)),
    ),
  )
  await clock.until(before.settled())
  await clock.until(before.stop())
  version = 2
  const app = await clock.until(
    start([jobs().shop], backend, { clock: own, onSlowUnits: () => undefined }),
  )
  await clock.until(app.settled())
  const rebuild = await clock.until(app.rebuild('shop/rows'))
  const { slowUnits } = await clock.until(app.health())
  const status = await clock.until(app.status())
  await clock.until(app.stop())
  return { units, slowUnits, status, rebuild }
}

suite('a rebuild', () => {
  for (const slow of ['rule', 'ids', 'upcast'] as const)
    test(`does not block the event loop when its ${slow} takes long`, async () => {
      const { units, slowUnits, status, rebuild } = await rebuilt(slow)
      const worst = Math.max(...units)
      // The rows of an event are asked for twice: to load them, and to fold it.
      assert.ok(worst <= 200 + 2 * EACH_MS, `a unit computed for ${worst} ms`)
      assert.deepEqual(
        slowUnits.map(({ group }) => group),
        ['shop/rows'],
      )
      assert.equal(rebuild.events, MESSAGES)
      assert.deepEqual(findImbalances(status), [])
      assert.equal(status[0]?.completed, MESSAGES)
    })
})

test('a refold with slow rules does not block the event loop', async () => {
  const clock = testClock()
  let [spentMs, lastMs, worstMs, version] = [0, 0, 0, 1]
  const breathed = (): void => {
    worstMs = Math.max(worstMs, spentMs - lastMs)
    lastMs = spentMs
  }
  const own = {
    ...clock,
    elapsed: () => clock.elapsed() + spentMs,
    defer: (run: () => void) => (breathed(), clock.defer(run)),
  }
  const Asked = contract(
    'asked',
    { key: 'id' },
    { Do: command(Id), Done: event(Id), Count: query(Id, { answers: z.unknown() }) },
  )
  const shop = () => {
    const counted = entity(
      'counted',
      { of: Asked, id: 'id', initial: 0, version },
      {
        decide: (on) => [on(Asked.Do, (asked) => Asked.Done(asked))],
        evolve: (on) => [
          on(Asked.Done, (_, count) => {
            if (version === 2) spentMs += EACH_MS
            return count + 1
          }),
        ],
      },
    )
    const counts = queryHandler('counts', { of: Asked, reads: [counted] }, (on) => [
      on(Asked.Count, ({ id }, read) => read(counted).get(id)),
    ])
    return service('shop', { owns: [Asked], runs: [counted, counts] })
  }
  const backend = sharedBackend(memory({ clock }), (_, call) => call())
  const before = await clock.until(start([shop()], backend, { clock: own }))
  await clock.until(before.append(Array.from({ length: MESSAGES }, () => Asked.Do({ id: 'a' }))))
  await clock.until(before.settled())
  await clock.until(before.stop())
  version = 2
  const app = await clock.until(start([shop()], backend, { clock: own }))
  assert.equal(await clock.until(app.ask(Asked.Count({ id: 'a' }))), MESSAGES)
  breathed()
  await clock.until(app.stop())
  assert.equal(spentMs, MESSAGES * EACH_MS)
  assert.ok(worstMs <= 200 + EACH_MS, `nobody else had a turn for ${worstMs} ms`)
})
