// Retention by age and size, compaction by key, and what a slow consumer loses.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { contract, event, handler, projection, service, start, tool } from 'throughline'
import { memory } from 'throughline/testing'
import type { LogEvent, LogRecord } from '../../../src/ports/event-log.ts'
import type { Simulation } from '../support/simulation.ts'
import { anySchema, createSimulation } from '../support/simulation.ts'

interface Reading {
  readonly sensor: string
  readonly value: number
}
const Reading = anySchema<Reading>()

const AGE_MS = 120_000
const MAINTENANCE_MS = 5_000

type Keeping = Parameters<typeof contract>[1]

const sensorsOf = (keeping: Omit<Keeping, 'key' | 'partitions'>) =>
  contract('sensors', { key: 'sensor', partitions: 1, ...keeping }, { Measured: event(Reading) })

interface Outside {
  tell(value: number): Promise<void> | void
}

async function launch(
  stage: Simulation,
  keeping: Omit<Keeping, 'key' | 'partitions'>,
  outside: Outside = { tell: () => undefined },
  engine: object = {},
) {
  const Sensors = sensorsOf(keeping)
  const latest = projection('latest', { by: 'sensor', row: tool<Reading>() }, (on) => [
    on(Sensors.Measured, (reading) => reading),
  ])
  const alerts = handler(
    'alerts',
    { uses: { outside: tool<Outside>() }, timeoutMs: 86_400_000 },
    (on) => [
      on(Sensors.Measured, async ({ value }, tools) => {
        await tools.outside.tell(value)
      }),
    ],
  )
  const lost: { readonly consumer: string; readonly expired: number }[] = []
  const { backend, clock, random } = stage.instance()
  const options = {
    clock,
    random,
    tools: { outside },
    engine: { retentionCheckMs: MAINTENANCE_MS, retryDelayMsMax: 1_000, ...engine },
    onRuleError: () => undefined,
    onExpired: (each: { readonly consumer: string; readonly expired: number }) => lost.push(each),
  }
  const house = service('house', { owns: [Sensors], runs: [latest, alerts] })
  const app = await stage.clock.until(start([house], backend, options))
  return { app, lost }
}

let count = 0
function measured(sensor: string, value: number | null): LogEvent {
  count += 1
  const id = `m-${count}`
  const head = JSON.stringify({ source: 'test', correlation: id, hops: 0 })
  const data = value === null ? null : JSON.stringify({ sensor, value })
  const place = { topic: 'sensors.events', partition: 0, key: sensor }
  return { ...place, id, type: 'sensors.Measured', at: 1, head, data }
}

async function measure(stage: Simulation, values: readonly number[], sensor = 's'): Promise<void> {
  const events = values.map((value) => measured(sensor, value))
  await stage.clock.until(stage.backend.log.append(events))
}

async function kept(stage: Simulation): Promise<readonly LogRecord[]> {
  const [end] = await stage.clock.until(stage.backend.log.ends(['sensors.events']))
  const from = [{ topic: 'sensors.events', partition: 0, next: end?.first ?? 0 }]
  const read = stage.backend.log.read(from, { records: 100_000, bytes: 1e9 }, { ms: 0 })
  return (await stage.clock.until(read)).flatMap(({ records }) => records)
}

const valuesOf = (records: readonly LogRecord[]): readonly unknown[] =>
  records.map(({ data }) => (JSON.parse(data ?? '{}') as Partial<Reading>).value)

const numbers = (count_: number, from = 0): readonly number[] =>
  Array.from({ length: count_ }, (_, at) => from + at)

describe('retention', () => {
  test('by age deletes older records, and nothing if unset', async () => {
    for (const isKept of [true, false]) {
      const stage = createSimulation(memory, 1)
      const retention = isKept ? {} : { retention: { events: { ageMs: AGE_MS } } }
      const { app, lost } = await launch(stage, retention)
      await measure(stage, [1, 2])
      await stage.clock.advance(AGE_MS / 2)
      await measure(stage, [3])
      assert.deepEqual(valuesOf(await kept(stage)), [1, 2, 3])
      await stage.clock.advance(AGE_MS / 2 + 2 * MAINTENANCE_MS)
      assert.deepEqual(valuesOf(await kept(stage)), isKept ? [1, 2, 3] : [3])
      assert.deepEqual(lost, [])
      await stage.clock.until(app.stop())
    }
  })

  test('by age deletes nothing early when the wall clock steps forward', async () => {
    const stage = createSimulation(memory, 1)
    const { app } = await launch(stage, { retention: { events: { ageMs: AGE_MS } } })
    await measure(stage, [1, 2])
    stage.clock.stepWallClock(10 * 365 * 86_400_000)
    await stage.clock.advance(AGE_MS - MAINTENANCE_MS)
    assert.deepEqual(valuesOf(await kept(stage)), [1, 2])
    await stage.clock.advance(4 * MAINTENANCE_MS)
    assert.deepEqual(valuesOf(await kept(stage)), [])
    await stage.clock.until(app.stop())
  })

  test('by age also deletes records stored while the wall clock was ten years ahead', async () => {
    const stage = createSimulation(memory, 1)
    const { app } = await launch(stage, { retention: { events: { ageMs: AGE_MS } } })
    stage.clock.stepWallClock(10 * 365 * 86_400_000)
    await measure(stage, [1, 2])
    stage.clock.stepWallClock(-10 * 365 * 86_400_000)
    await measure(stage, [3])
    await stage.clock.advance(AGE_MS - MAINTENANCE_MS)
    assert.deepEqual(valuesOf(await kept(stage)), [1, 2, 3])
    await measure(stage, [4])
    await stage.clock.advance(4 * MAINTENANCE_MS)
    assert.deepEqual(valuesOf(await kept(stage)), [4])
    await stage.clock.until(app.stop())
  })

  test('by size keeps at least the configured size of the newest records', async () => {
    const stage = createSimulation(memory, 2)
    const bytes = 500_000
    const { app } = await launch(stage, { retention: { events: { bytes } } })
    for (let at = 0; at < 10; at += 1) await measure(stage, numbers(2_000, at * 2_000))
    await stage.clock.advance(3 * MAINTENANCE_MS)
    const records = await kept(stage)
    const left = records.reduce((sum, each) => {
      return sum + each.key.length + each.head.length + (each.data?.length ?? 0)
    }, 0)
    assert.ok(left >= bytes && left < 1.5 * bytes, `${left} bytes`)
    assert.equal(valuesOf(records).at(-1), 19_999)
    await stage.clock.until(app.stop())
  })

  test('waits for the slowest consumer up to the lag limit, and reports what expires beyond it', async () => {
    const stage = createSimulation(memory, 3)
    let open: () => void = () => undefined
    const gate = new Promise<void>((resolve) => (open = resolve))
    const told: number[] = []
    const outside = {
      async tell(value: number) {
        await gate
        told.push(value)
      },
    }
    const retention = { retention: { events: { ageMs: AGE_MS } } }
    const engine = { retentionLagEventsMax: 30, unitRecordsMax: 10 }
    const { app, lost } = await launch(stage, retention, outside, engine)
    await measure(stage, numbers(5))
    await stage.clock.advance(1_000)
    await measure(stage, numbers(25, 5))
    await stage.clock.advance(2 * AGE_MS)
    assert.equal((await kept(stage)).length, 30, 'it is slow, but within its limit')
    await measure(stage, numbers(30, 30))
    await stage.clock.advance(2 * AGE_MS)
    assert.deepEqual(valuesOf(await kept(stage)), numbers(30, 30))
    assert.deepEqual(lost, [], 'nobody has come to it yet')
    open()
    await stage.clock.advance(60_000)
    assert.equal(lost.length, 1)
    const [{ consumer, expired } = { consumer: '', expired: 0 }] = lost
    assert.equal(consumer, 'house/alerts')
    const status = await stage.clock.until(app.status())
    const alerts = status.find((each) => each.consumer === 'house/alerts')
    assert.deepEqual(alerts, { ...alerts, accepted: 60, pending: 0, expired, lag: 0 })
    assert.equal((alerts?.completed ?? 0) + expired, 60)
    assert.equal(told.length, 60 - expired, 'what it had in hand, and the rest')
    assert.ok(expired >= 20 && expired < 30)
    const latest = status.find((each) => each.consumer === 'house/latest')
    assert.deepEqual([latest?.completed, latest?.expired], [60, 0])
    const { alarms, status: is } = await stage.clock.until(app.health())
    assert.equal(is, 'well')
    const [alarm, ...others] = alarms
    assert.deepEqual(others, [])
    assert.equal(
      alarm?.message,
      `retention deleted ${expired} records before house/alerts read them`,
    )
    assert.partialDeepStrictEqual(alarm, {
      kind: 'lost-records',
      consumer: 'house/alerts',
      count: expired,
    })
    await stage.clock.until(app.stop())
  })

  test('waits for a stopped consumer up to the lag limit', async () => {
    const stage = createSimulation(memory, 4)
    const retention = { retention: { events: { ageMs: AGE_MS } } }
    const first = await launch(stage, retention)
    await stage.clock.advance(5_000)
    await stage.clock.until(first.app.stop())
    await measure(stage, numbers(10))
    const Sensors = sensorsOf(retention)
    const other = projection('other', { by: 'sensor', row: tool<Reading>() }, (on) => [
      on(Sensors.Measured, (reading) => reading),
    ])
    const { backend, clock, random } = stage.instance()
    const roof = service('roof', { owns: [], runs: [other] })
    const options = {
      clock,
      random,
      remote: [Sensors],
      engine: { retentionCheckMs: MAINTENANCE_MS },
    }
    const app = await stage.clock.until(start([roof], backend, options))
    await stage.clock.advance(3 * AGE_MS)
    assert.equal((await kept(stage)).length, 10)
    const second = await launch(stage, retention)
    await stage.clock.advance(3 * MAINTENANCE_MS)
    assert.equal((await kept(stage)).length, 0)
    assert.deepEqual([...first.lost, ...second.lost], [])
    await stage.clock.until(Promise.all([app.stop(), second.app.stop()]))
  })

  test('never expires held events', async () => {
    const stage = createSimulation(memory, 5)
    let isBroken = true
    const told: number[] = []
    const outside = {
      tell(value: number) {
        if (isBroken) throw new Error('nobody listens')
        told.push(value)
      },
    }
    const { app, lost } = await launch(stage, { retention: { events: { ageMs: 1 } } }, outside, {
      retryDelayMsMax: 10_000,
      retryAttemptsMax: 1_000,
    })
    await measure(stage, numbers(10))
    await stage.clock.advance(AGE_MS)
    assert.equal((await kept(stage)).length, 0)
    isBroken = false
    await stage.clock.advance(60_000)
    assert.deepEqual(told, numbers(10))
    assert.deepEqual(lost, [])
    await stage.clock.until(app.stop())
  })
})

describe('compaction', () => {
  test('keeps the newest record of each key, and tombstones for the configured time', async () => {
    const stage = createSimulation(memory, 6)
    const compaction = { deleteRetentionMs: AGE_MS }
    const { app } = await launch(stage, { compaction })
    await measure(stage, [1, 2, 3], 'a')
    await measure(stage, [4, 5], 'b')
    await stage.clock.advance(3 * MAINTENANCE_MS)
    assert.deepEqual(valuesOf(await kept(stage)), [3, 5])
    await stage.clock.until(stage.backend.log.append([measured('b', null)]))
    await stage.clock.advance(AGE_MS / 2)
    assert.deepEqual(valuesOf(await kept(stage)), [3, undefined])
    await stage.clock.advance(AGE_MS)
    assert.deepEqual(valuesOf(await kept(stage)), [3])
    await stage.clock.until(app.stop())
  })

  test('waits for consumers with unread records', async () => {
    const stage = createSimulation(memory, 7)
    let open: () => void = () => undefined
    const gate = new Promise<void>((resolve) => (open = resolve))
    const told: number[] = []
    const outside = {
      async tell(value: number) {
        await gate
        told.push(value)
      },
    }
    const { app } = await launch(stage, { compaction: { deleteRetentionMs: 0 } }, outside)
    await measure(stage, numbers(8))
    await stage.clock.advance(5 * MAINTENANCE_MS)
    assert.equal((await kept(stage)).length, 8)
    open()
    await stage.clock.advance(5 * MAINTENANCE_MS)
    assert.deepEqual(told, numbers(8))
    assert.deepEqual(valuesOf(await kept(stage)), [7])
    await stage.clock.until(app.stop())
  })
})
