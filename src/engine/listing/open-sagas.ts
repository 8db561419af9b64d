import type { LogRecord } from '../../ports/event-log.ts'
import { commandsTopic } from '../../contract/contract.ts'
import type { Row } from '../../ports/event-store.ts'
import type { SagaInstanceRow, TimerRow } from '../execution/index.ts'
import { findHolder } from './held-keys.ts'
import type { ListPage, OpenSaga, SagasOptions, WaitsFor } from './list-types.ts'
import type { ListSource, ListedRule } from './paging.ts'
import {
  parseCursor,
  validateLimit,
  listOptionFault,
  readMergedPage,
  findRules,
  toWallTime,
} from './paging.ts'
import { REPLY_TYPES, serviceTables } from '../plan/index.ts'
import { scanPages } from '../rows/index.ts'
import { INSTANT_MAX } from '../delays/index.ts'

/** Sent commands of an instance that are checked, newest first. */
const SENT_EXAMINED_MAX = 50
/** Timers searched for the due times of those set by earlier versions. */
const OLD_TIMERS_MAX = 10_000
const INSTANCES_PER_SCAN = 1_000

type OpenInstanceRow = Extract<SagaInstanceRow, { is: 'open' }>

export const isSaga = ({ is }: Pick<ListedRule, 'is'>): boolean => is === 'saga'

/**
 * All sagas, or the named one.
 *
 * @throws Fault `OPTION_INVALID` for a rule of another kind, `RULE_NOT_FOUND`
 */
export function findSagas(source: ListSource, named?: string): readonly ListedRule[] {
  const other = findRules(source).find((rule) => rule.name === named && !isSaga(rule))
  if (!other) return findRules(source, isSaga, named)
  const known = findRules(source, isSaga).map(({ name }) => name)
  throw listOptionFault(
    'saga',
    `${named} is not a saga; the sagas are ${known.join(', ') || 'none'}`,
  )
}

/**
 * Open saga instances, the oldest first, and what each one waits for.
 *
 * @throws Fault `OPTION_INVALID`, `RULE_NOT_FOUND`
 */
export async function openSagas(
  listed: ListSource,
  { saga, operation, limit, after }: SagasOptions = {},
): Promise<ListPage<OpenSaga>> {
  const sagas = findSagas(listed, saga)
  if (operation !== undefined) {
    const found = (await instancesOfOperation(listed, sagas, operation)).filter(({ row }) =>
      isOpen(row),
    )
    return { items: await toOpenSagas(listed, found) }
  }
  const { instances, next } = await openInstances(listed, sagas, { limit, after })
  const items = await toOpenSagas(listed, instances)
  return next === undefined ? { items } : { items, next }
}

/**
 * Open instances of some sagas, the oldest first.
 *
 * @throws Fault `OPTION_INVALID`
 */
export async function openInstances(
  { backend: { store } }: ListSource,
  sagas: readonly ListedRule[],
  { limit, after }: { readonly limit: number | undefined; readonly after: string | undefined },
): Promise<{ readonly instances: readonly SagaInstance[]; readonly next?: string }> {
  const where = { index: 'open', upTo: INSTANT_MAX }
  const page = { limit: validateLimit(limit), after: parseCursor(after) }
  const scanOf = ({ table }: ListedRule) => ({ table, where })
  const { rows, next } = await readMergedPage(store, sagas, scanOf, page)
  const instances = rows.map(({ source, row }) => parseInstance(source, row))
  return next === undefined ? { instances } : { instances, next }
}

/** An instance of a saga, with its row. */
export interface SagaInstance {
  readonly saga: ListedRule
  readonly key: string
  readonly row: SagaInstanceRow
}

const parseInstance = (saga: ListedRule, { key, body }: Row): SagaInstance => {
  return { saga, key, row: JSON.parse(body) as SagaInstanceRow }
}

const isOpen = (row: SagaInstanceRow): row is OpenInstanceRow => row.is === 'open'

/** The saga instances of one operation, including finished ones. */
export async function instancesOfOperation(
  { backend: { store } }: ListSource,
  sagas: readonly ListedRule[],
  operation: string,
): Promise<readonly SagaInstance[]> {
  const where = { index: 'operation', equals: operation }
  const instances: SagaInstance[] = []
  for (const saga of sagas) {
    const scan = { table: saga.table, where, limit: INSTANCES_PER_SCAN }
    for await (const rows of scanPages(store, scan))
      for (const row of rows) instances.push(parseInstance(saga, row))
  }
  return instances
}

async function toOpenSagas(
  source: ListSource,
  instances: readonly SagaInstance[],
): Promise<readonly OpenSaga[]> {
  const found: OpenSaga[] = []
  for (const { saga, key, row } of instances) {
    if (!isOpen(row)) continue
    const { operation, since } = row
    found.push({
      saga: saga.name,
      instance: key,
      operation,
      ...(since === undefined ? {} : { since: toWallTime(source, since) }),
      waitsFor: await readWaits(source, saga, row),
    })
  }
  return found
}

/**
 * What the open sagas of a conversation wait for, behind what its operation does. An operation whose event
 * no saga has processed yet, and a conversation without an operation, do not say it.
 */
export async function conversationWaits(
  source: ListSource,
  { correlation, origin }: { readonly correlation: string; readonly origin: string | undefined },
  ofOperation: readonly WaitsFor[] = [],
): Promise<readonly WaitsFor[]> {
  const waits = new Map(ofOperation.map((each) => [JSON.stringify(each), each]))
  const sagas = findRules(source, isSaga)
  for (const { saga, row } of await instancesOfOperation(source, sagas, correlation)) {
    // The same id in another topic is another conversation.
    if (!isOpen(row) || row.origin !== origin) continue
    for (const each of await readWaits(source, saga, row)) waits.set(JSON.stringify(each), each)
  }
  return [...waits.values()]
}

/** Outstanding timers and replies; without any, the events that the saga subscribes to. */
export async function readWaits(
  source: ListSource,
  saga: ListedRule,
  row: OpenInstanceRow,
): Promise<readonly WaitsFor[]> {
  const waits = [...(await timerWaits(source, saga, row)), ...(await answerWaits(source, row))]
  if (waits.length > 0) return waits
  const types = (saga.hears ?? []).filter((wire) => !REPLIES.has(wire))
  return [{ kind: 'event', types }]
}

const REPLIES: ReadonlySet<string> = new Set(Object.values(REPLY_TYPES))

async function timerWaits(
  source: ListSource,
  { service }: ListedRule,
  { timers }: OpenInstanceRow,
): Promise<readonly WaitsFor[]> {
  const { store } = source.backend
  if (timers.length === 0) return []
  const table = serviceTables(service).timers
  const rows = await store.get(timers.map((key) => ({ table, key })))
  const found = rows.flatMap((row) =>
    row ? [{ row, timer: JSON.parse(row.body) as TimerRow }] : [],
  )
  const isOld = found.some(({ timer }) => timer.dueAt === undefined)
  const where = { index: 'due', upTo: INSTANT_MAX }
  const old = isOld ? await store.scan({ table, where, limit: OLD_TIMERS_MAX }) : []
  return found.map(({ row, timer }): WaitsFor => {
    const dueAt = timer.dueAt ?? old.find(({ key }) => key === row.key)?.value
    const { contract, name } = timer.message
    const type = `${contract}.${name}`
    const shown = dueAt === undefined ? {} : { dueAt: toWallTime(source, Number(dueAt)) }
    return { kind: 'timer', type, ...shown }
  })
}

/** Commands it has sent that their owners have not decided yet. */
async function answerWaits(
  source: ListSource,
  { sent }: OpenInstanceRow,
): Promise<readonly WaitsFor[]> {
  const waits: WaitsFor[] = []
  for (const { contract, name, id } of sent.slice(-SENT_EXAMINED_MAX)) {
    const undecided = await findUndecided(source, contract, id)
    if (!undecided) continue
    const { heldBy, type = `${contract}.${name}` } = undecided
    waits.push({ kind: 'answer', command: type, id, ...(heldBy === undefined ? {} : { heldBy }) })
  }
  return waits
}

/**
 * Whether the owner of a contract has not decided a command yet. A command that is not in the log
 * was decided.
 */
export async function findUndecided(
  source: ListSource,
  contract: string,
  id: string,
): Promise<{ readonly type?: string; readonly heldBy?: string } | undefined> {
  const record = await source.backend.log.find?.(commandsTopic(contract), id)
  return record && findUndecidedRecord(source, contract, record)
}

/** The same for a command that was read from the log. */
export async function findUndecidedRecord(
  source: ListSource,
  contract: string,
  record: LogRecord,
): Promise<{ readonly type: string; readonly heldBy?: string } | undefined> {
  const { store } = source.backend
  const { topic } = record
  const owner = source.catalog.services.find(({ owns }) => owns.includes(contract))
  if (!owner) return undefined
  const entities = findRules(source, ({ is, service, reads, hears }) => {
    const isDeciding = is === 'entity' && service === owner.id && reads.includes(topic)
    return isDeciding && (hears?.includes(record.type) ?? true)
  })
  const heldBy = await findHolder(source, entities, record)
  if (heldBy !== undefined) return { type: record.type, heldBy }
  const progress = await store.progress(entities.map((entity) => entity.id))
  const isAhead = entities.some((entity) => !hasPassed(progress, entity.id, record))
  return isAhead ? { type: record.type } : undefined
}

/** Whether a consumer has read past a record. */
export function hasPassed(
  progress: Awaited<ReturnType<ListSource['backend']['store']['progress']>>,
  consumer: string,
  { topic, partition, offset }: { topic: string; partition: number; offset: number },
): boolean {
  return progress.some(
    (each) =>
      each.consumer === consumer &&
      each.topic === topic &&
      each.partition === partition &&
      each.next > offset,
  )
}
