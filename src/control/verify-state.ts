// Checks that rows are consistent with each other: entities with streams, held keys with messages, sagas with timers.
import type { Issue } from '../base/errors/fault.ts'
import { Fault } from '../base/errors/fault.ts'
import type { SagaInstanceRow, TimerRow } from '../engine/execution/index.ts'
import type { CatalogService } from '../engine/plan/index.ts'
import { consumerName, serviceTables, tableOf } from '../engine/plan/index.ts'
import type { HoldRow } from '../engine/failure/index.ts'
import { messagesIn } from '../engine/failure/index.ts'
import { scanPages } from '../engine/rows/index.ts'
import type { EventStore, Progress, Row, StreamEnd } from '../ports/event-store.ts'
import type { System } from './system.ts'

const ROWS_PER_PAGE = 200

/** Issues one by one; `path` names the consumer and the key. */
type Issues = AsyncGenerator<Issue>

/**
 * Checks that the version of each entity row is the end of its stream; that each held key has its held
 * messages and the reverse, in the number that the counters say; that each timer has its instance and
 * each open instance its timers. Rows that change meanwhile are read a second time.
 */
export async function* verifyState({ backend: { store }, catalog }: System): Issues {
  const known = await store.tables?.()
  const has = (table: string): boolean => known?.includes(table) ?? true
  for (const service of catalog.services) {
    const { timers, holds, held, heldPages } = serviceTables(service.id)
    for (const { id, is, name } of service.rules) {
      const table = tableOf(id)
      if (!has(table)) continue
      const consumer = `${service.name}/${name}`
      if (is === 'entity') yield* untilDamaged(consumer, verifyEntity(store, consumer, table))
      if (is === 'saga') yield* untilDamaged(consumer, verifySaga(store, consumer, table, timers))
    }
    const { name } = service
    const lists = [held, heldPages].filter(has)
    if (has(holds)) yield* untilDamaged(name, verifyHolds(store, service, lists))
    if (has(timers)) yield* untilDamaged(name, verifyTimers(store, service, timers))
  }
}

/** Ends the checks of a table at an unreadable row, which `verify` has reported before. */
async function* untilDamaged(path: string, findings: Issues): Issues {
  try {
    yield* findings
  } catch (cause) {
    if (!(cause instanceof Fault) || cause.code !== 'DATA_DAMAGED') throw cause
    yield { path, message: `cannot be checked any further: ${cause.detail ?? cause.code}` }
  }
}

const REFOLD_CURE = 'its next command or a query by its id folds the row again'
const HOLD_CURE = 'the next start of the service restores the hold'
const RESTORE_CURE = 'restore a backup'

async function* verifyEntity(store: EventStore, consumer: string, table: string): Issues {
  // Here streams are read before rows, below rows before streams, since both only grow.
  for (let after: string | undefined, isOver = false; !isOver;) {
    const ends = await store.streams(table, after, ROWS_PER_PAGE)
    const rows = await store.get(ends.map(({ key }) => ({ table, key })))
    for (const [at, end] of ends.entries()) {
      const message = streamProblem(end, rows[at])
      if (message !== undefined) yield { path: `${consumer} ${end.key}`, message }
    }
    isOver = ends.length < ROWS_PER_PAGE
    after = ends.at(-1)?.key
  }
  for await (const rows of scanPages(store, { table, limit: ROWS_PER_PAGE })) {
    const ends = await store.streamEnds(rows)
    for (const [at, { key, version }] of rows.entries()) {
      const end = ends[at] ?? 0
      const message = `its row has version ${version}, but its stream ends at ${end}: ${RESTORE_CURE}`
      if (end < version) yield { path: `${consumer} ${key}`, message }
    }
  }
}

function streamProblem({ version, entries }: StreamEnd, row: Row | undefined): string | undefined {
  if (entries < version) return `its stream has ${entries} entries of ${version}: ${RESTORE_CURE}`
  const events = `its stream has ${version} events: ${REFOLD_CURE}`
  if (!row) return `its row is missing, but ${events}`
  return row.version < version ? `its row has version ${row.version}, but ${events}` : undefined
}

/** `lists` are the tables of held messages, one by one and in pages. */
async function* verifyHolds(
  store: EventStore,
  service: CatalogService,
  lists: readonly string[],
): Issues {
  const { holds } = serviceTables(service.id)
  const consumers = service.rules.map(({ id }) => id)
  const nameOf = (id: string): string => consumerName({ services: [service], topics: [] }, id)
  const before = await store.progress(consumers)
  const messages = await countHeld(store, lists)
  const counts = new Map<string, number>()
  for await (const rows of scanPages(store, { table: holds, limit: ROWS_PER_PAGE }))
    for (const { key, body } of rows) counts.set(key, (JSON.parse(body) as HoldRow).count)
  for (const holdKey of new Set([...counts.keys(), ...messages.keys()])) {
    if (counts.get(holdKey) === messages.get(holdKey)) continue
    const message = await holdProblem(store, holds, lists, holdKey)
    const [id = '', ...key] = holdKey.split(':')
    if (message !== undefined) yield { path: `${nameOf(id)} ${key.join(':')}`, message }
  }
  const after = await store.progress(consumers)
  for (const consumer of consumers) {
    const [then, now] = [progressOf(before, consumer), progressOf(after, consumer)]
    if (JSON.stringify(then) !== JSON.stringify(now)) continue
    const waiting = now.reduce((sum, each) => sum + each.pending + each.dead, 0)
    let count = 0
    for (const [holdKey, held] of messages) if (holdKey.startsWith(`${consumer}:`)) count += held
    const message = `${waiting} messages are pending or dead, but ${count} are held: ${RESTORE_CURE}`
    if (waiting !== count) yield { path: nameOf(consumer), message }
  }
}

/** The number of held messages, by the key of the hold. */
async function countHeld(
  store: EventStore,
  lists: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>()
  for (const table of lists)
    for await (const rows of scanPages(store, {
      table,
      where: { index: 'hold' },
      limit: ROWS_PER_PAGE,
    }))
      for (const row of rows) {
        const holdKey = String(row.value)
        counts.set(holdKey, (counts.get(holdKey) ?? 0) + messagesIn(row).length)
      }
  return counts
}

const progressOf = (progress: readonly Progress[], consumer: string): readonly Progress[] =>
  progress.filter((each) => each.consumer === consumer)

/** Compares a hold with its messages, unless its version changes while they are counted. */
async function holdProblem(
  store: EventStore,
  holds: string,
  lists: readonly string[],
  holdKey: string,
): Promise<string | undefined> {
  const readHold = async (): Promise<Row | undefined> =>
    (await store.get([{ table: holds, key: holdKey }]))[0]
  const hold = await readHold()
  let messages = 0
  const where = { index: 'hold', equals: holdKey }
  for (const table of lists)
    for await (const rows of scanPages(store, { table, where, limit: ROWS_PER_PAGE }))
      for (const row of rows) messages += messagesIn(row).length
  if ((await readHold())?.version !== hold?.version) return undefined
  const count = hold ? (JSON.parse(hold.body) as HoldRow).count : 0
  if (count === messages) return undefined
  if (hold) return `its hold has ${count} messages, but ${messages} are there: ${RESTORE_CURE}`
  return `${messages} messages are held without a hold, so that they are never retried: ${HOLD_CURE}`
}

async function* verifyTimers(store: EventStore, service: CatalogService, table: string): Issues {
  for await (const rows of scanPages(store, { table, limit: ROWS_PER_PAGE })) {
    const timers = rows.map(({ body }) => JSON.parse(body) as TimerRow)
    const instances = await store.get(
      timers.map((timer) => ({ table: timer.table, key: timer.instance })),
    )
    for (const [at, { rule, instance }] of timers.entries()) {
      if (instances[at] || !(await isUnchanged(store, rows[at] as Row))) continue
      const message = `a timer refers to it, but its row is missing: ${RESTORE_CURE}`
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
): Issues {
  for await (const rows of scanPages(store, {
    table,
    where: { index: 'open' },
    limit: ROWS_PER_PAGE,
  }))
    for (const row of rows) {
      const instance = JSON.parse(row.body) as SagaInstanceRow
      if (instance.is !== 'open' || instance.timers.length === 0) continue
      const found = await store.get(instance.timers.map((key) => ({ table: timers, key })))
      const missing = instance.timers.filter((_, at) => !found[at])
      if (missing.length === 0 || !(await isUnchanged(store, row))) continue
      const message = `its timers are missing (${missing.join(', ')}): ${RESTORE_CURE}`
      yield { path: `${consumer} ${row.key}`, message }
    }
}

/** Whether a row still has the version that was read. */
async function isUnchanged(store: EventStore, { table, key, version }: Row): Promise<boolean> {
  const [now] = await store.get([{ table, key }])
  return now?.version === version
}
