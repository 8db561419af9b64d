// A topic read again, in the order in which the log took it, whatever the pages are.
import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import fc from 'fast-check'
import type { App } from 'throughline'
import { start } from 'throughline'
import { memory } from 'throughline/testing'
import type { ReplayPage, ReplayedEvent } from '../../src/control/replay.ts'
import type { System } from '../../src/control/system.ts'
import { runVerb } from '../../src/control/verbs.ts'
import { partitionOf } from '../../src/contract/partition.ts'
import type { EventLog, LogEvent } from '../../src/ports/event-log.ts'
import { intercept } from '../../src/ports/intercept.ts'
import { systemOf } from '../../src/runtime/running-system.ts'
import { talking } from './talking-services.ts'

const TOPIC = 'asking.events'
const PARTITIONS = 8

function eventOf(at: number, key: string): LogEvent {
  return {
    topic: TOPIC,
    partition: partitionOf(key, PARTITIONS),
    id: `e-${at}`,
    key,
    type: 'asking.Asked',
    at,
    head: `{"source":"asker","correlation":"c-${at}","hops":1}`,
    data: `{"id":"${key}"}`,
  }
}

const started: App[] = []
afterEach(async () => {
  for (const app of started.splice(0)) await app.stop()
})

/** Two keys that lie in different partitions. */
const [ONE, OTHER] = (() => {
  const keys = 'abcdefghij'.split('')
  const away = keys.find((key) => partitionOf(key, PARTITIONS) !== partitionOf('a', PARTITIONS))
  return ['a', away ?? ''] as const
})()

/** A system at rest with events of these keys, one after another. */
async function holding(keys: readonly string[]): Promise<System> {
  const app = await start(talking, memory())
  started.push(app)
  for (const service of ['asker', 'teller']) await app.pause(service)
  const system = systemOf(app)
  await system.backend.log.append(keys.map((key, at) => eventOf(at, key)))
  return system
}

async function pages(
  system: System,
  wish: Readonly<Record<string, unknown>>,
  limit = 2_000,
): Promise<readonly ReplayedEvent[]> {
  const events: ReplayedEvent[] = []
  let given: Readonly<Record<string, unknown>> = { topic: TOPIC, limit, ...wish }
  for (;;) {
    const page = (await runVerb(system, 'replay', given)) as ReplayPage
    events.push(...page.events)
    if (page.cursor === undefined) return events
    given = { topic: TOPIC, limit, cursor: page.cursor }
  }
}

const idsOf = (events: readonly { readonly id: string }[]): readonly string[] =>
  events.map(({ id }) => id)

const ids = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, at) => `e-${at}`)

/** A system of which the log is another one. */
function over(system: System, change: (log: EventLog) => Partial<EventLog>): System {
  const { log } = system.backend
  return { ...system, backend: { ...system.backend, log: { ...log, ...change(log) } } }
}

describe('replay', () => {
  test('gives every record once, in the order of the log, for pages of any size', async () => {
    const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g')
    await fc.assert(
      fc.asyncProperty(
        fc.array(key, { maxLength: 60 }),
        fc.integer({ min: 1, max: 40 }),
        async (keys, limit) => {
          const system = await holding(keys)
          assert.deepEqual(idsOf(await pages(system, {}, limit)), ids(keys.length))
        },
      ),
      { numRuns: 30 },
    )
  })

  test('gives CloudEvents with partition and offset', async () => {
    const system = await holding(['a'])
    const [event] = await pages(system, {})
    assert.deepEqual(event, {
      specversion: '1.0',
      id: 'e-0',
      source: '/asker/asking.events',
      type: 'asking.Asked',
      time: '1970-01-01T00:00:00.000Z',
      datacontenttype: 'application/json',
      dataschema: 'urn:throughline:message:asking.Asked:1',
      data: { id: 'a' },
      partitionkey: 'a',
      correlationid: 'c-0',
      partition: partitionOf('a', PARTITIONS),
      offset: 0,
    })
  })

  test('begins and ends at offsets, in one partition or in all', async () => {
    const system = await holding([ONE, ONE, OTHER, ONE, OTHER, ONE])
    const found = await pages(system, { from: '1', to: '3' })
    assert.deepEqual(idsOf(found), ['e-1', 'e-3', 'e-4'])
    const partition = partitionOf(OTHER, PARTITIONS)
    assert.deepEqual(idsOf(await pages(system, { partition })), ['e-2', 'e-4'])
    assert.deepEqual(await pages(system, { from: '99' }), [])
  })

  test('begins and ends at times at which records were stored', async () => {
    const system = await holding([ONE, OTHER])
    const [slice] = await system.backend.log.read(
      [{ topic: TOPIC, partition: partitionOf('a', PARTITIONS), next: 0 }],
      { records: 1, bytes: 1 },
      { ms: 0 },
    )
    const storedAt = slice?.records[0]?.storedAt ?? 0
    const text = (at: number): string => new Date(at).toISOString()
    assert.equal((await pages(system, { from: text(storedAt) })).length, 2)
    assert.equal((await pages(system, { to: text(storedAt) })).length, 0)
    assert.equal((await pages(system, { from: text(storedAt + 3_600_000) })).length, 0)
  })

  test('gives partition by partition if the log has no global order', async () => {
    const keys = ['a', 'b', 'a', 'c', 'b']
    const system = over(await holding(keys), ({ can }) => ({ can: { ...can, positions: false } }))
    const found = await pages(system, {}, 2)
    assert.deepEqual(idsOf(found).toSorted(), ids(keys.length))
    const places = found.map(({ partition, offset }) => partition * 1_000 + offset)
    assert.deepEqual(
      places,
      places.toSorted((one, other) => one - other),
    )
  })

  test('stops at the end of the topic at its start', async () => {
    const system = await holding(['a', 'a', 'a'])
    const first = (await runVerb(system, 'replay', { topic: TOPIC, limit: 1 })) as ReplayPage
    await system.backend.log.append([eventOf(9, 'a')])
    const rest = await pages(system, { cursor: first.cursor })
    assert.deepEqual(idsOf([...first.events, ...rest]), ids(3))
  })

  for (const [damaged, code] of [
    ['ARCHIVE_MISSING', 'ARCHIVE_MISSING'],
    ['ARCHIVE_DAMAGED', 'ARCHIVE_DAMAGED'],
    ['CONTENT_CHANGED', 'LOG_DAMAGED'],
  ] as const)
    test(`stops with ${code} where reading stops, after all before it`, async () => {
      const system = over(await holding(['a', 'a', 'a', 'a']), (log) => ({
        async read(from, max, wait) {
          const slices = await log.read(from, max, wait)
          return slices.map((slice) => {
            const records = slice.records.filter(({ offset }) => offset < 2)
            if (records.length === slice.records.length) return slice
            return { ...slice, records, next: 2, damage: { code: damaged, from: 2, to: 3 } }
          })
        },
      }))
      const first = (await runVerb(system, 'replay', { topic: TOPIC })) as ReplayPage
      assert.deepEqual(idsOf(first.events), ids(2))
      await assert.rejects(pages(system, { cursor: first.cursor }), {
        code,
        message: new RegExp(`${TOPIC}/${partitionOf('a', PARTITIONS)}@2`),
        ids: { topic: TOPIC, damage: damaged, from: '2', to: '3' },
      })
    })

  test('reads no more of each partition than a page may hold', async () => {
    const system = await holding(Array.from({ length: 200 }, (_, at) => `k${at}`))
    let most = 0
    const counted = {
      ...system,
      backend: intercept(system.backend, async (call, run, args) => {
        if (call === 'log.read') most = Math.max(most, (args[1] as { records: number }).records)
        return run()
      }),
    }
    assert.equal((await pages(counted, {}, 16)).length, 200)
    // Less than a page: the partitions share it.
    assert.ok(most <= 16, `${most}`)
  })

  test('refuses an invalid offset, partition, cursor and topic', async () => {
    const system = await holding([])
    const flawed = (wish: object): Promise<unknown> =>
      runVerb(system, 'replay', { topic: TOPIC, ...wish })
    for (const from of ['yesterday', '2026-13-01', '1.5', '-1', '2026-11-21T10:43'])
      await assert.rejects(flawed({ from }), { code: 'OPTION_INVALID', message: /from: must be/ })
    await assert.rejects(flawed({ to: 'x' }), { code: 'OPTION_INVALID', message: /to: must be/ })
    await assert.rejects(flawed({ partition: 8 }), { code: 'OPTION_INVALID' })
    for (const cursor of ['{', '7', '[["0",1,2]]', '[7]'])
      await assert.rejects(flawed({ cursor }), { code: 'OPTION_INVALID' })
    await assert.rejects(flawed({ topic: 'none' }), { code: 'TOPIC_NOT_FOUND' })
  })
})
