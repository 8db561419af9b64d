import { yieldToEventLoop } from '../../base/time/clock.ts'
import type { Issue } from '../../base/errors/fault.ts'
import { commandsTopic, eventsTopic } from '../../contract/contract.ts'
import { decodeEnvelope } from '../../contract/envelope.ts'
import type { LogRecord } from '../../ports/event-log.ts'
import { toIssues } from '../../rules/effect.ts'
import type { StoredOutcome, OperationRow } from '../execution/index.ts'
import { operationKey } from '../execution/index.ts'
import { findHolder } from './held-keys.ts'
import type {
  ListPage,
  OperationEntry,
  OperationKind,
  OperationsOptions,
  OperationStateView,
  WaitsFor,
} from './list-types.ts'
import {
  hasPassed,
  instancesOfOperation,
  isSaga,
  findUndecidedRecord,
  readWaits,
} from './open-sagas.ts'
import type { ListSource } from './paging.ts'
import { SEARCH_MS_MAX, validateLimit, findRules } from './paging.ts'
import { serviceTables } from '../plan/index.ts'
import { newestFirst } from './newest-first.ts'

/** Commands from outside whose state one call looks up … */
const EXAMINED_MAX = 2_000
/** … and commands in total, including those sent by services, that it reads to find them. */
const READ_MAX = 20_000
const YIELD_EVERY = 100

/** The state of an operation, and what it waits for. */
export interface OperationDetails extends Pick<OperationEntry, 'state' | 'waitsFor'> {
  /** The details of a refusal. */
  readonly issues?: readonly Issue[]
  /** Whether the command's unit has committed. */
  readonly isAccepted: boolean
}

/**
 * The state of a command's operation; `undefined` if the command did not come from outside, or its result is
 * no longer kept.
 */
export async function readOperation(
  source: ListSource,
  record: LogRecord,
): Promise<OperationDetails | undefined> {
  const owner = topicOwners(source).get(record.topic)
  if (!owner || decodeEnvelope(record).hops > 0) return undefined
  return readDetails(source, owner, record)
}

const KINDS: readonly string[] = [
  'pending',
  'completed',
  'refused',
  'failed',
  'finished',
] satisfies readonly OperationKind[]

/** Whether an operation matches a kind, or the name of a saga's own outcome. */
const matchesState = ({ kind, status }: OperationStateView, state: string): boolean =>
  KINDS.includes(state) ? kind === state : status === state

interface TopicOwner {
  readonly service: string
  readonly contract: string
}

/** The owner of each command topic. */
function topicOwners({ catalog }: ListSource): ReadonlyMap<string, TopicOwner> {
  return new Map(
    catalog.services.flatMap(({ id: service, owns }) =>
      owns.map((contract) => [commandsTopic(contract), { service, contract }] as const),
    ),
  )
}

/**
 * Commands from outside that the log retains, newest first, with their states; without those whose result
 * is no longer kept. One call looks up at
 * most 2,000 states, reads at most 20,000 commands, including those sent by services, and takes a quarter of
 * a second. If few of them match, a page may have fewer than `limit` items and still a `next`.
 *
 * @throws Fault `OPTION_INVALID`
 */
export async function listOperations(
  source: ListSource,
  { state, key, type, since, until, limit: wanted, after }: OperationsOptions = {},
): Promise<ListPage<OperationEntry>> {
  const limit = validateLimit(wanted)
  const owners = topicOwners(source)
  const items: OperationEntry[] = []
  const typePart = type?.toLowerCase() ?? ''
  let [read, lookedAt] = [0, 0]
  let next: string | undefined
  const span = { since, until, after }
  const endsAt = source.clock.elapsed() + SEARCH_MS_MAX
  for await (const { record, cursor } of newestFirst(
    source.backend.log,
    [...owners.keys()],
    span,
  )) {
    const isLong = lookedAt === EXAMINED_MAX || read === READ_MAX
    const isLate = read > 0 && source.clock.elapsed() >= endsAt
    if (items.length === limit || isLong || isLate)
      return next === undefined ? { items } : { items, next }
    read += 1
    if (read % YIELD_EVERY === 0) await yieldToEventLoop(source.clock)
    next = cursor
    if ((key !== undefined && record.key !== key) || !record.type.toLowerCase().includes(typePart))
      continue
    const owner = owners.get(record.topic)
    if (!owner || decodeEnvelope(record).hops > 0) continue
    lookedAt += 1
    const details = await readDetails(source, owner, record)
    if (!details) continue
    const { state: found, waitsFor } = details
    if (state !== undefined && !matchesState(found, state)) continue
    items.push({
      id: record.id,
      command: record.type,
      key: record.key,
      at: record.storedAt,
      state: found,
      waitsFor,
    })
  }
  return { items }
}

async function readDetails(
  source: ListSource,
  owner: TopicOwner,
  record: LogRecord,
): Promise<OperationDetails | undefined> {
  const { id, type } = record
  const early = await readRow(source, owner, id)
  const undecided = early ? undefined : await findUndecidedRecord(source, owner.contract, record)
  if (undecided) {
    const waitsFor = { kind: 'answer', command: type, id } as const
    const { heldBy } = undecided
    return {
      ...pendingDetails([heldBy === undefined ? waitsFor : { ...waitsFor, heldBy }]),
      isAccepted: false,
    }
  }
  // It may have been decided in between. Otherwise its result is no longer kept.
  const operation = early ?? (await readRow(source, owner, id))
  if (!operation) return undefined
  if (operation.is === 'refused')
    return {
      ...endedDetails({ kind: 'refused', status: 'refused', reason: operation.code }),
      issues: toIssues(operation.complaints),
    }
  if (operation.is === 'failed') {
    const { reason, code } = operation
    const state = { kind: 'failed', status: 'failed', reason } as const
    return {
      ...endedDetails(code === undefined ? state : { ...state, code }),
      isAccepted: false,
    }
  }
  const unheard = await findUnheardEvents(source, operation.events)
  if (unheard.length > 0) return pendingDetails(unheard)
  const waits: WaitsFor[] = []
  const outcomes: StoredOutcome[] = []
  for (const { saga, row: instance } of await instancesOfOperation(
    source,
    findRules(source, isSaga),
    id,
  )) {
    // The same id in another topic is another operation.
    if (instance.origin !== operation.origin) continue
    if (instance.is === 'closed') outcomes.push(instance.outcome)
    else waits.push(...(await readWaits(source, saga, instance)))
  }
  if (waits.length > 0) return pendingDetails(waits)
  const { is: status, reason } = outcomes.find(({ is }) => is !== 'completed') ?? COMPLETED
  const kind = status === 'completed' ? 'completed' : 'finished'
  return endedDetails({ kind, status, ...(reason === undefined ? {} : { reason }) })
}

async function readRow(
  { backend: { store } }: ListSource,
  { service, contract }: TopicOwner,
  id: string,
): Promise<OperationRow | undefined> {
  const table = serviceTables(service).operations
  // Earlier versions stored rows by id alone, for all topics.
  const keys = [operationKey({ contract }, id), id].map((key) => ({ table, key }))
  const [row, old] = (await store.get(keys)).map(
    (each) => each && (JSON.parse(each.body) as OperationRow),
  )
  return row ?? (old && mayBelongTo(old, contract) ? old : undefined)
}

const COMPLETED: StoredOutcome = { is: 'completed' }

/** Whether a row stored by id alone can belong to a command of this contract. */
function mayBelongTo(row: OperationRow, contract: string): boolean {
  return row.is !== 'accepted' || row.events.every(({ topic }) => topic === eventsTopic(contract))
}

const pendingDetails = (waitsFor: readonly WaitsFor[]): OperationDetails => {
  return { state: { kind: 'pending', status: 'pending' }, waitsFor, isAccepted: true }
}
const endedDetails = (state: OperationDetails['state']): OperationDetails => {
  return { state, waitsFor: [], isAccepted: true }
}

/** Events of a decision that a saga has not processed yet, or holds. */
export async function findUnheardEvents(
  source: ListSource,
  events: readonly { readonly topic: string; readonly id: string; readonly type: string }[],
): Promise<readonly WaitsFor[]> {
  const { log, store } = source.backend
  const waits: WaitsFor[] = []
  for (const { topic, id, type } of events) {
    const sagas = findRules(source, ({ is, reads, hears }) => {
      return is === 'saga' && reads.includes(topic) && (hears?.includes(type) ?? true)
    })
    const record = sagas.length > 0 ? await log.find?.(topic, id) : undefined
    if (!record) continue
    const heldBy = await findHolder(source, sagas, record)
    const progress = await store.progress(sagas.map((saga) => saga.id))
    if (heldBy !== undefined) waits.push({ kind: 'event', types: [type], heldBy })
    else if (sagas.some((saga) => !hasPassed(progress, saga.id, record)))
      waits.push({ kind: 'event', types: [type] })
  }
  return waits
}
