import { commandsTopic } from '../contract/contract.ts'
import type { Row } from '../ports/store.ts'
import type { InstanceRow } from './advance.ts'
import type { TimerRow } from './timer-row.ts'
import { holderOf } from './held-keys.ts'
import type { Listing, OpenSaga, SagasOptions, WaitsFor } from './listings.ts'
import type { Listed, ListedRule } from './paging.ts'
import { cursorIn, EVER, limitOf, listFault, mergedPage, rulesIn, shownAt } from './paging.ts'
import { REPLY_TYPES, serviceTables } from './plan.ts'

/** Sent commands of an instance that are checked, newest first. */
const SENT_LOOKED_AT = 50
/** Timers searched for the due times of those set by earlier versions. */
const OLD_TIMERS_MAX = 10_000
const INSTANCES_OF_OPERATION = 1_000

type OpenRow = Extract<InstanceRow, { is: 'open' }>

export const isSaga = ({ is }: Pick<ListedRule, 'is'>): boolean => is === 'saga'

/**
 * All sagas, or the named one.
 *
 * @throws Fault `OPTION_INVALID` for a rule of another kind, `RULE_NOT_FOUND`
 */
export function sagasIn(listed: Listed, named?: string): readonly ListedRule[] {
  const other = rulesIn(listed).find((rule) => rule.name === named && !isSaga(rule))
  if (!other) return rulesIn(listed, isSaga, named)
  const known = rulesIn(listed, isSaga).map(({ name }) => name)
  throw listFault('saga', `${named} is not a saga; the sagas are ${known.join(', ') || 'none'}`)
}

/**
 * Open saga instances, the oldest first, and what each one waits for.
 *
 * @throws Fault `OPTION_INVALID`, `RULE_NOT_FOUND`
 */
export async function openSagas(
  listed: Listed,
  { saga, operation, limit, after }: SagasOptions = {},
): Promise<Listing<OpenSaga>> {
  const sagas = sagasIn(listed, saga)
  if (operation !== undefined) {
    const found = (await instancesIn(listed, sagas, operation)).filter(({ row }) => isOpen(row))
    return { items: await views(listed, found) }
  }
  const where = { index: 'open', upTo: EVER }
  const page = { limit: limitOf(limit), after: cursorIn(after) }
  const scanOf = ({ table }: ListedRule) => ({ table, where })
  const { rows, next } = await mergedPage(listed.backend.store, sagas, scanOf, page)
  const items = await views(
    listed,
    rows.map(({ source, row }) => instanceIn(source, row)),
  )
  return next === undefined ? { items } : { items, next }
}

/** An instance of a saga, with its row. */
export interface Instance {
  readonly saga: ListedRule
  readonly key: string
  readonly row: InstanceRow
}

const instanceIn = (saga: ListedRule, { key, body }: Row): Instance => {
  return { saga, key, row: JSON.parse(body) as InstanceRow }
}

const isOpen = (row: InstanceRow): row is OpenRow => row.is === 'open'

/** The saga instances of one operation, including finished ones. */
export async function instancesIn(
  { backend: { store } }: Listed,
  sagas: readonly ListedRule[],
  operation: string,
): Promise<readonly Instance[]> {
  const where = { index: 'operation', equals: operation }
  const instances: Instance[] = []
  for (const saga of sagas) {
    const { table } = saga
    const rows = await store.scan({ table, where, limit: INSTANCES_OF_OPERATION })
    instances.push(...rows.map((row) => instanceIn(saga, row)))
  }
  return instances
}

async function views(listed: Listed, instances: readonly Instance[]): Promise<readonly OpenSaga[]> {
  const found: OpenSaga[] = []
  for (const { saga, key, row } of instances) {
    if (!isOpen(row)) continue
    const { operation, since } = row
    found.push({
      saga: saga.name,
      instance: key,
      operation,
      ...(since === undefined ? {} : { since: shownAt(listed, since) }),
      waitsFor: await waitsForOf(listed, saga, row),
    })
  }
  return found
}

/** Outstanding timers and replies; without any, the events that the saga subscribes to. */
export async function waitsForOf(
  listed: Listed,
  saga: ListedRule,
  row: OpenRow,
): Promise<readonly WaitsFor[]> {
  const waits = [...(await timersOf(listed, saga, row)), ...(await answersOf(listed, row))]
  if (waits.length > 0) return waits
  const types = (saga.hears ?? []).filter((wire) => !REPLIES.has(wire))
  return [{ kind: 'event', types }]
}

const REPLIES: ReadonlySet<string> = new Set(Object.values(REPLY_TYPES))

async function timersOf(
  listed: Listed,
  { service }: ListedRule,
  { timers }: OpenRow,
): Promise<readonly WaitsFor[]> {
  const { store } = listed.backend
  if (timers.length === 0) return []
  const table = serviceTables(service).timers
  const rows = await store.get(timers.map((key) => ({ table, key })))
  const found = rows.flatMap((row) =>
    row ? [{ row, timer: JSON.parse(row.body) as TimerRow }] : [],
  )
  const isOld = found.some(({ timer }) => timer.dueAt === undefined)
  const where = { index: 'due', upTo: EVER }
  const old = isOld ? await store.scan({ table, where, limit: OLD_TIMERS_MAX }) : []
  return found.map(({ row, timer }): WaitsFor => {
    const dueAt = timer.dueAt ?? old.find(({ key }) => key === row.key)?.value
    const { contract, name } = timer.message
    const type = `${contract}.${name}`
    const shown = dueAt === undefined ? {} : { dueAt: shownAt(listed, Number(dueAt)) }
    return { kind: 'timer', type, ...shown }
  })
}

/** Commands it has sent that their owners have not decided yet. */
async function answersOf(listed: Listed, { sent }: OpenRow): Promise<readonly WaitsFor[]> {
  const waits: WaitsFor[] = []
  for (const { contract, name, id } of sent.slice(-SENT_LOOKED_AT)) {
    const undecided = await undecidedIn(listed, contract, id)
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
export async function undecidedIn(
  listed: Listed,
  contract: string,
  id: string,
): Promise<{ readonly type?: string; readonly heldBy?: string } | undefined> {
  const { log, store } = listed.backend
  const topic = commandsTopic(contract)
  const record = await log.find?.(topic, id)
  const owner = listed.catalog.services.find(({ owns }) => owns.includes(contract))
  if (!record || !owner) return undefined
  const entities = rulesIn(listed, ({ is, service, reads, hears }) => {
    const isDeciding = is === 'entity' && service === owner.id && reads.includes(topic)
    return isDeciding && (hears?.includes(record.type) ?? true)
  })
  const heldBy = await holderOf(listed, entities, record)
  if (heldBy !== undefined) return { type: record.type, heldBy }
  const progress = await store.progress(entities.map((entity) => entity.id))
  const isAhead = entities.some((entity) => !hasPassed(progress, entity.id, record))
  return isAhead ? { type: record.type } : undefined
}

/** Whether a consumer has read past a record. */
export function hasPassed(
  progress: Awaited<ReturnType<Listed['backend']['store']['progress']>>,
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
