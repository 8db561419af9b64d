// Checks that rows are consistent with each other: entities with streams, held keys with messages, sagas with timers.
import type { Complaint } from '../base/fault.ts'
import { Fault } from '../base/fault.ts'
import type { InstanceRow } from '../engine/advance.ts'
import type { TimerRow } from '../engine/timer-row.ts'
import type { CatalogService } from '../engine/catalog.ts'
import { consumerName } from '../engine/catalog.ts'
import type { HoldRow } from '../engine/hold-row.ts'
import { serviceTables, tableOf } from '../engine/plan.ts'
import type { EventStore, Progress, Row, Scan, ScannedRow, StreamEnd } from '../ports/store.ts'
import type { System } from './system.ts'

const PAGE = 1_000

/** Issues one by one; `path` names the consumer and the key. */
type Findings = AsyncGenerator<Complaint>

/**
 * Checks that the version of each entity row is the end of its stream; that each held key has its held
 * messages and the reverse, in the number that the counters say; that each timer has its instance and
 * each open instance its timers. Rows that change meanwhile are read a second time.
 */
export async function* verifyState({ backend: { store }, catalog }: System): Findings {
  const known = await store.tables?.()
  const has = (table: string): boolean => known?.includes(table) ?? true
  for (const service of catalog.services) {
    const { timers, holds } = serviceTables(service.id)
    for (const { id, is, name } of service.rules) {
      const table = tableOf(id)
      if (!has(table)) continue
      const consumer = `${service.name}/${name}`
      if (is === 'entity') yield* readable(consumer, verifyEntity(store, consumer, table))
      if (is === 'saga') yield* readable(consumer, verifySaga(store, consumer, table, timers))
    }
    const { name } = service
    if (has(holds)) yield* readable(name, verifyHolds(store, service))
    if (has(timers)) yield* readable(name, verifyTimers(store, service, timers))
  }
}

/** Ends the checks of a table at an unreadable row, which `verify` has reported before. */
async function* readable(path: string, findings: Findings): Findings {
  try {
    yield* findings
  } catch (cause) {
    if (!(cause instanceof Fault) || cause.code !== 'DATA_DAMAGED') throw cause
    yield { path, message: `cannot be checked any further: ${cause.detail ?? cause.code}` }
  }
}

async function* pages(
  store: EventStore,
  scan: Omit<Scan, 'limit' | 'after'>,
): AsyncGenerator<readonly ScannedRow[]> {
  let after: Scan['after']
  do {
    const rows = await store.scan({ ...scan, limit: PAGE, ...(after ? { after } : {}) })
    yield rows
    const last = rows.length === PAGE ? rows.at(-1) : undefined
    after = last && { key: last.key, ...(last.value === undefined ? {} : { value: last.value }) }
  } while (after)
}

const REFOLDS = 'its next command or a query by its id folds the row again'
const REMADE = 'the next start of the service restores the hold'
const RESTORE = 'restore a backup'

async function* verifyEntity(store: EventStore, consumer: string, table: string): Findings {
  // Here streams are read before rows, below rows before streams, since both only grow.
  for (let after: string | undefined, isOver = false; !isOver;) {
    const ends = await store.streams(table, after, PAGE)
    const rows = await store.get(ends.map(({ key }) => ({ table, key })))
    for (const [at, end] of ends.entries()) {
      const message = flawOfStream(end, rows[at])
      if (message !== undefined) yield { path: `${consumer} ${end.key}`, message }
    }
    isOver = ends.length < PAGE
    after = ends.at(-1)?.key
  }
  for await (const rows of pages(store, { table })) {
    const ends = await store.streamEnds(rows)
    for (const [at, { key, version }] of rows.entries()) {
      const end = ends[at] ?? 0
      const message = `its row has version ${version}, but its stream ends at ${end}: ${RESTORE}`
      if (end < version) yield { path: `${consumer} ${key}`, message }
    }
  }
}

function flawOfStream({ version, entries }: StreamEnd, row: Row | undefined): string | undefined {
  if (entries < version) return `its stream has ${entries} entries of ${version}: ${RESTORE}`
  const events = `its stream has ${version} events: ${REFOLDS}`
  if (!row) return `its row is missing, but ${events}`
  return row.version < version ? `its row has version ${row.version}, but ${events}` : undefined
}

async function* verifyHolds(store: EventStore, service: CatalogService): Findings {
  const { holds, held } = serviceTables(service.id)
  const consumers = service.rules.map(({ id }) => id)
  const nameOf = (id: string): string => consumerName({ services: [service], topics: [] }, id)
  const before = await store.progress(consumers)
  const messages = await countHeld(store, held)
  const counts = new Map<string, number>()
  for await (const rows of pages(store, { table: holds }))
    for (const { key, body } of rows) counts.set(key, (JSON.parse(body) as HoldRow).count)
  for (const holdKey of new Set([...counts.keys(), ...messages.keys()])) {
    if (counts.get(holdKey) === messages.get(holdKey)) continue
    const message = await flawOfHold(store, holds, held, holdKey)
    const [id = '', ...key] = holdKey.split(':')
    if (message !== undefined) yield { path: `${nameOf(id)} ${key.join(':')}`, message }
  }
  const after = await store.progress(consumers)
  for (const consumer of consumers) {
    const [then, now] = [progressOf(before, consumer), progressOf(after, consumer)]
    if (JSON.stringify(then) !== JSON.stringify(now)) continue
    const pending = now.reduce((sum, each) => sum + each.pending, 0)
    let count = 0
    for (const [holdKey, held] of messages) if (holdKey.startsWith(`${consumer}:`)) count += held
    const message = `${pending} messages are pending, but ${count} are held: ${RESTORE}`
    if (pending !== count) yield { path: nameOf(consumer), message }
  }
}

/** The number of held messages, by the key of the hold. */
async function countHeld(store: EventStore, held: string): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>()
  for await (const rows of pages(store, { table: held, where: { index: 'hold' } }))
    for (const { value } of rows) counts.set(String(value), (counts.get(String(value)) ?? 0) + 1)
  return counts
}

const progressOf = (progress: readonly Progress[], consumer: string): readonly Progress[] =>
  progress.filter((each) => each.consumer === consumer)

/** Compares a hold with its messages, unless its version changes while they are counted. */
async function flawOfHold(
  store: EventStore,
  holds: string,
  held: string,
  holdKey: string,
): Promise<string | undefined> {
  const look = async (): Promise<Row | undefined> =>
    (await store.get([{ table: holds, key: holdKey }]))[0]
  const hold = await look()
  let messages = 0
  const where = { index: 'hold', equals: holdKey }
  for await (const rows of pages(store, { table: held, where })) messages += rows.length
  if ((await look())?.version !== hold?.version) return undefined
  const count = hold ? (JSON.parse(hold.body) as HoldRow).count : 0
  if (count === messages) return undefined
  if (hold) return `its hold has ${count} messages, but ${messages} are there: ${RESTORE}`
  return `${messages} messages are held without a hold, so that they are never retried: ${REMADE}`
}

async function* verifyTimers(store: EventStore, service: CatalogService, table: string): Findings {
  for await (const rows of pages(store, { table })) {
    const timers = rows.map(({ body }) => JSON.parse(body) as TimerRow)
    const instances = await store.get(
      timers.map((timer) => ({ table: timer.table, key: timer.instance })),
    )
    for (const [at, { rule, instance }] of timers.entries()) {
      if (instances[at] || !(await isThere(store, rows[at] as Row))) continue
      const message = `a timer refers to it, but its row is missing: ${RESTORE}`
      const consumer = consumerName({ services: [service], topics: [] }, `${service.id}/${rule}`)
      yield { path: `${consumer} ${instance}`, message }
    }
  }
}

async function* verifySaga(
  store: EventStore,
  consumer: string,
  table: string,
  timers: string,
): Findings {
  for await (const rows of pages(store, { table, where: { index: 'open' } }))
    for (const row of rows) {
      const instance = JSON.parse(row.body) as InstanceRow
      if (instance.is !== 'open' || instance.timers.length === 0) continue
      const found = await store.get(instance.timers.map((key) => ({ table: timers, key })))
      const missing = instance.timers.filter((_, at) => !found[at])
      if (missing.length === 0 || !(await isThere(store, row))) continue
      const message = `its timers are missing (${missing.join(', ')}): ${RESTORE}`
      yield { path: `${consumer} ${row.key}`, message }
    }
}

/** Whether a row still has the version that was read. */
async function isThere(store: EventStore, { table, key, version }: Row): Promise<boolean> {
  const [now] = await store.get([{ table, key }])
  return now?.version === version
}
