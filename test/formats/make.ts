// Makes a data directory that holds every kind of row and file there is, in simulated time: services
// in the middle of their work, and of their trouble.
import { mkdirSync, renameSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { App } from 'throughline'
import { hours, minutes, seconds, start } from 'throughline'
import { embedded, repair } from 'throughline/embedded'
import { systemClock } from '../../src/base/time/clock.ts'
import { partitionOf } from '../../src/contract/partition.ts'
import type { LogEvent } from '../../src/ports/event-log.ts'
import type { Backend, Unit } from '../../src/ports/event-store.ts'
import type { Simulation } from '../engine/support/simulation.ts'
import { createSimulation } from '../engine/support/simulation.ts'
import { interruptedFold } from './long-fold.ts'
import type { Outside } from './shop.ts'
import { Notes, Prices, Readings, Sensors, shop } from './shop.ts'

/** Where the files of the archive are said to be: nowhere, so that they are found in `data/archive`. */
const ARCHIVE = '/somewhere/else'

/** How long until everybody has noticed that a process is gone. */
const LEASES_MS = minutes(5)

export interface Made {
  readonly data: string
  readonly backup: string
  /** When it was left alone, in simulated time. */
  readonly at: number
}

/** Makes `data`, with the files of its archive in `data/archive`, and `backup`, below a directory. */
export async function makeData(root: string): Promise<Made> {
  // Stacks would tell where this repo lies.
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  try {
    return await madeIn(root)
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

async function madeIn(root: string): Promise<Made> {
  const [data, backup] = [join(root, 'data'), join(root, 'backup')]
  const stage = createSimulation(({ clock }) => embedded({ directory: data, clock }), 1)
  const { backend, clock } = stage
  await open(backend)
  const outside: Outside = { isBroken: true, die: () => undefined, told: [] }
  await formerLife(stage, outside)
  await presentLife(stage, outside)
  const {
    services: [orders],
  } = shop('present', outside)
  await clock.until(interruptedFold(backend.store, orders, clock))
  await close(backend)
  await moveOldRecords(data)
  damageNotes(data)
  await repair(data, stoppedAt(clock.now()), {
    accept: [{ topic: 'notes.events', partition: 0 }],
  })
  const whole = embedded({ directory: data, clock: stoppedAt(clock.now()) })
  await open(whole)
  await whole.backup?.(backup)
  await close(whole)
  return { data, backup, at: clock.now() }
}

/** Time that passes from a moment in the past on. */
export function stoppedAt(at: number) {
  const clock = systemClock()
  const now = (): number => Math.floor(at + clock.elapsed())
  return { ...clock, now, wall: now }
}

export async function open({ log, store }: Backend): Promise<void> {
  await log.open()
  await store.open()
}

export async function close({ log, store }: Backend): Promise<void> {
  await store.close()
  await log.close()
}

interface Life {
  readonly stage: Simulation
  readonly app: App
  readonly place: (customer: string, order: string, total: number) => Promise<void>
  end(): Promise<void>
}

/** One process with all services, that will be killed. */
async function life(
  stage: Simulation,
  generation: 'former' | 'present',
  outside: Outside,
  isBlocked: (unit: Unit) => boolean = () => false,
): Promise<Life & { readonly died: () => boolean }> {
  const { Orders, services } = shop(generation, outside)
  const { crash, ...instance } = stage.instance(async (call, run, args) => {
    if (call === 'store.commit' && isBlocked(args[0] as Unit)) await new Promise(() => undefined)
    return run()
  })
  let isDead = false
  const end = async (): Promise<void> => {
    isDead = true
    crash()
    await stage.clock.advance(LEASES_MS)
  }
  outside.die = () => {
    isDead = true
    crash()
  }
  const nothing = (): void => undefined
  const options = {
    clock: instance.clock,
    random: instance.random,
    tools: { outside },
    engine: {
      retentionCheckMs: seconds(60),
      idleMs: minutes(1),
      retryDelayMsMax: minutes(10),
      leaseMs: minutes(2),
      retentionLagEventsMax: 4,
      unitRecordsMax: 4,
      deadlineMs: minutes(5),
    },
    onRuleError: nothing,
    onBackendError: nothing,
    onExpired: nothing,
  }
  const app = await stage.clock.until(start(services, instance.backend, options))
  const place = async (customer: string, order: string, total: number): Promise<void> => {
    const trace = order.startsWith('traced')
      ? {
          traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
          tracestate: 'a=b',
        }
      : {}
    await stage.clock.until(
      app.send(Orders.Place({ customer, order, total }), { id: `place-${order}`, ...trace }),
    )
  }
  return { stage, app, place, end, died: () => isDead }
}

/** The first version: what it leaves is read by the second one. */
async function formerLife(stage: Simulation, outside: Outside): Promise<void> {
  const { clock } = stage
  const first = await life(stage, 'former', outside)
  for (const [customer, order, total] of [
    ['ada', 'traced-1', 10],
    ['ben', 'back-1', 20],
    ['ada', 'wait-lost', 30],
    ['ben', 'refused-1', -1],
    ['cleo', 'dear-1', 200_000],
    ['dan', 'plain-1', 5],
  ] as const)
    await first.place(customer, order, total)
  await clock.advance(hours(2) + minutes(1))
  // From here on everything is young enough to wait for its timer.
  for (const [customer, order, total] of [
    ['broken', 'held-1', 1],
    ['broken', 'held-2', 2],
    ['later', 'later-1', 3],
    ['ada', 'wait-1', 4],
    ['no-refund', 'back-2', 6],
    ['eve', 'saga-breaks', 7],
    ['eve', 'saga-behind', 8],
    ['fay', 'projection-breaks', 9],
    ['gus', 'entity-breaks', 13],
    ['gus', 'entity-behind', 14],
  ] as const)
    await first.place(customer, order, total)
  await clock.until(first.app.append(['x', 'u'].map((by) => Notes.Noted({ by, text: 'f' }))))
  await measured(first)
  await clock.advance(minutes(1))
  await first.place('hal', 'poison', 15)
  await clock.advance(seconds(10))
  await first.end()
  for (let starts = 0; starts < 5; starts += 1) {
    const next = await life(stage, 'former', outside)
    await clock.advance(minutes(3))
    const died = next.died()
    await next.end()
    if (!died) return
  }
}

/** A sensor whose alarm was paused for too long, so that retention has taken what it had not read. */
async function measured({ app, stage: { clock } }: Life): Promise<void> {
  const measure = (from: number, to: number) =>
    clock.until(
      app.append(
        Array.from({ length: to - from }, (_, at) =>
          Readings.Measured({ sensor: 's', value: from + at }),
        ),
      ),
    )
  await measure(0, 3)
  await clock.advance(seconds(5))
  await clock.until(app.pause('sensors'))
  await measure(3, 13)
  await clock.advance(hours(1) + minutes(1))
  await clock.until(app.resume('sensors'))
  await clock.until(app.send(Sensors.Reset({ sensor: 's', value: 1 }), { id: 'reset-1' }))
  await measure(13, 15)
  await clock.advance(seconds(5))
}

/** Of the rebuilds that the second version begins, each stops at another step. */
function isBlocked({ swap, rows }: Unit): boolean {
  const isGoing = (table: string): boolean =>
    rows.some((row) => row.table === table && row.body === null)
  return (
    // Folded, and not yet in the place of the live rows.
    (swap?.tables.includes('sales.report') ?? false) ||
    // What the live rows hold is yet to go.
    isGoing('payments.held') ||
    // The former rows are yet to go.
    isGoing('sensors.zeros.shadow') ||
    // Not begun.
    rows.some(({ table, body }) => table === 'notes.control' && body?.includes('"is":"folding"'))
  )
}

/** The second version, in the middle of everything when it ends: of a rebuild, too. */
async function presentLife(stage: Simulation, outside: Outside): Promise<void> {
  const { clock, backend } = stage
  const present = await life(stage, 'present', outside, isBlocked)
  const { app, place } = present
  await clock.advance(seconds(20))
  await place('ada', 'plain-2', 1_000)
  await place('ivy', 'wait-2', 1_100)
  await place('ivy', 'traced-2', 1_200)
  await place('broken', 'held-3', 1_300)
  await place('ben', 'refused-2', -2)
  await priced(present, backend)
  await clock.until(
    app.append(
      ['x', 'y', 'z', 'u', 'v', 'w', 'x', 'y', 'z', 'u', 'v', 'w'].map((by, at) =>
        Notes.Noted({ by, text: String(at) }),
      ),
    ),
  )
  await clock.advance(minutes(2))
  await clock.until(
    app.rewind('orders/fresh', 'earliest', { topic: 'orders.events', partition: 0 }),
  )
  await clock.advance(seconds(20))
  for (const each of ['payments', 'notes'] as const) await clock.until(app.pause(each))
  // These wait in the log, for whoever is paused.
  await place('joe', 'wait-3', 1_400)
  await clock.until(
    app.append(
      ['x', 'y', 'z', 'u', 'v', 'w'].flatMap((by) =>
        ['.', ';'].map((text) => Notes.Noted({ by, text })),
      ),
    ),
  )
  await clock.until(app.append([Readings.Measured({ sensor: 's', value: 99 })]))
  await clock.advance(minutes(2))
  await present.end()
}

async function priced({ app, stage: { clock } }: Life, { log }: Backend): Promise<void> {
  const price = (sku: string, cents: number) => Prices.Priced({ sku, cents })
  await clock.until(app.append([price('pen', 100), price('ink', 200), price('pen', 110)]))
  await clock.until(app.append([price('ink', 210), price('pad', 300), price('pen', 120)]))
  const gone: LogEvent = {
    topic: 'prices.events',
    partition: partitionOf('pad', 1),
    id: 'gone-pad',
    key: 'pad',
    type: 'prices.Priced',
    at: clock.now(),
    head: JSON.stringify({ source: 'elsewhere', correlation: 'gone-pad', hops: 0 }),
    data: null,
  }
  await clock.until(log.append([gone]))
}

/** The first orders go into files; where these were is nobody's business. */
async function moveOldRecords(data: string): Promise<void> {
  const to = join(data, '..', 'moving')
  const backend = embedded({ directory: data })
  await open(backend)
  const moved = await backend.archive?.({ topic: 'orders.events', partition: 0, before: 3, to })
  await close(backend)
  mkdirSync(join(data, 'archive'))
  withDatabase(data, (db) => {
    for (const file of moved?.files ?? []) {
      renameSync(file, join(data, 'archive', basename(file)))
      db.prepare('UPDATE archive SET file = ? WHERE file = ?').run(
        `${ARCHIVE}/${basename(file)}`,
        file,
      )
    }
  })
  rmSync(to, { recursive: true })
}

/** One record of each partition that nobody has read is not what was written. */
function damageNotes(data: string): void {
  withDatabase(data, (db) => {
    const triggers = db.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").all()
    for (const { name } of triggers) db.exec(`DROP TRIGGER ${String(name)}`)
    db.exec(`UPDATE log SET data = replace(data, '.', '!') WHERE position IN (
      SELECT min(log.position) FROM log JOIN topic ON topic.id = log.topic
      WHERE topic.name = 'notes.events' AND log.data LIKE '%.%' GROUP BY log.part)`)
    for (const { sql } of triggers) db.exec(String(sql))
  })
}

function withDatabase(data: string, use: (db: DatabaseSync) => void): void {
  const db = new DatabaseSync(join(data, 'throughline.db'))
  try {
    use(db)
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  } finally {
    db.close()
  }
}
