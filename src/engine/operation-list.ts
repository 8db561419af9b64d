import { breathe } from '../base/clock.ts'
import type { Complaint } from '../base/fault.ts'
import { commandsTopic, eventsTopic } from '../contract/contract.ts'
import { decodeEnvelope } from '../contract/envelope.ts'
import type { LogRecord } from '../ports/log.ts'
import { complaintsIn } from '../rules/effect.ts'
import type { StoredOutcome } from './advance.ts'
import type { OperationRow } from './decide.ts'
import { operationKey } from './decide.ts'
import { holderOf } from './held-keys.ts'
import type {
  Listing,
  OperationEntry,
  OperationKind,
  OperationsOptions,
  OperationStatus,
  WaitsFor,
} from './listings.ts'
import { hasPassed, instancesIn, isSaga, undecidedIn, waitsForOf } from './open-sagas.ts'
import type { Listed } from './paging.ts'
import { limitOf, rulesIn } from './paging.ts'
import { serviceTables } from './plan.ts'
import { newestFirst } from './newest-first.ts'

/** Commands from outside whose state one call looks up … */
const LOOKED_AT_MAX = 2_000
/** … and commands in total, including those sent by services, that it reads to find them. */
const READ_MAX = 20_000
const BREATHE_EVERY = 100

/** The state of an operation, and what it waits for. */
export interface OperationStanding extends Pick<OperationEntry, 'state' | 'waitsFor'> {
  /** The details of a refusal. */
  readonly complaints?: readonly Complaint[]
  /** Whether the command's unit has committed. */
  readonly isAccepted: boolean
}

/** The state of a command's operation; `undefined` if the command did not come from outside. */
export async function standingOf(
  listed: Listed,
  record: LogRecord,
): Promise<OperationStanding | undefined> {
  const owner = ownersIn(listed).get(record.topic)
  if (!owner || decodeEnvelope(record).hops > 0) return undefined
  return stateOf(listed, owner, record)
}

const KINDS: readonly string[] = [
  'pending',
  'completed',
  'refused',
  'finished',
] satisfies readonly OperationKind[]

/** Whether an operation matches a kind, or the name of a saga's own outcome. */
const isIn = ({ kind, status }: OperationStatus, state: string): boolean =>
  KINDS.includes(state) ? kind === state : status === state

interface Owner {
  readonly service: string
  readonly contract: string
}

/** The owner of each command topic. */
function ownersIn({ catalog }: Listed): ReadonlyMap<string, Owner> {
  return new Map(
    catalog.services.flatMap(({ id: service, owns }) =>
      owns.map((contract) => [commandsTopic(contract), { service, contract }] as const),
    ),
  )
}

/**
 * Commands from outside that the log retains, newest first, with their states. One call looks up at
 * most 2,000 states and reads at most 20,000 commands, including those sent by services. If few of
 * them match, a page may have fewer than `limit` items and still a `next`.
 *
 * @throws Fault `OPTION_INVALID`
 */
export async function operationList(
  listed: Listed,
  { state, key, type, since, until, limit: wanted, after }: OperationsOptions = {},
): Promise<Listing<OperationEntry>> {
  const limit = limitOf(wanted)
  const owners = ownersIn(listed)
  const items: OperationEntry[] = []
  const typePart = type?.toLowerCase() ?? ''
  let [read, lookedAt] = [0, 0]
  let next: string | undefined
  const span = { since, until, after }
  for await (const { record, cursor } of newestFirst(
    listed.backend.log,
    [...owners.keys()],
    span,
  )) {
    if (items.length === limit || lookedAt === LOOKED_AT_MAX || read === READ_MAX)
      return next === undefined ? { items } : { items, next }
    read += 1
    if (read % BREATHE_EVERY === 0) await breathe(listed.clock)
    next = cursor
    if ((key !== undefined && record.key !== key) || !record.type.toLowerCase().includes(typePart))
      continue
    const owner = owners.get(record.topic)
    if (!owner || decodeEnvelope(record).hops > 0) continue
    lookedAt += 1
    const { state: found, waitsFor } = await stateOf(listed, owner, record)
    if (state !== undefined && !isIn(found, state)) continue
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

async function stateOf(
  listed: Listed,
  { service, contract }: Owner,
  { id, type }: LogRecord,
): Promise<OperationStanding> {
  const { store } = listed.backend
  const table = serviceTables(service).operations
  // Earlier versions stored rows by id alone, for all topics.
  const keys = [operationKey({ contract }, id), id].map((key) => ({ table, key }))
  const [row, old] = (await store.get(keys)).map(
    (each) => each && (JSON.parse(each.body) as OperationRow),
  )
  const operation = row ?? (old && mayBeOf(old, contract) ? old : undefined)
  if (!operation) {
    const heldBy = (await undecidedIn(listed, contract, id))?.heldBy
    const waitsFor = { kind: 'answer', command: type, id } as const
    return {
      ...pending([heldBy === undefined ? waitsFor : { ...waitsFor, heldBy }]),
      isAccepted: false,
    }
  }
  if (operation.is === 'refused')
    return {
      ...ended({ kind: 'refused', status: 'refused', reason: operation.code }),
      complaints: complaintsIn(operation.complaints),
    }
  const unheard = await unheardOf(listed, operation.events)
  if (unheard.length > 0) return pending(unheard)
  const waits: WaitsFor[] = []
  const outcomes: StoredOutcome[] = []
  for (const { saga, row: instance } of await instancesIn(listed, rulesIn(listed, isSaga), id)) {
    // The same id in another topic is another operation.
    if (instance.origin !== operation.origin) continue
    if (instance.is === 'closed') outcomes.push(instance.outcome)
    else waits.push(...(await waitsForOf(listed, saga, instance)))
  }
  if (waits.length > 0) return pending(waits)
  const { is: status, reason } = outcomes.find(({ is }) => is !== 'completed') ?? COMPLETED
  const kind = status === 'completed' ? 'completed' : 'finished'
  return ended({ kind, status, ...(reason === undefined ? {} : { reason }) })
}

const COMPLETED: StoredOutcome = { is: 'completed' }

/** Whether a row stored by id alone can belong to a command of this contract. */
function mayBeOf(row: OperationRow, contract: string): boolean {
  return row.is === 'refused' || row.events.every(({ topic }) => topic === eventsTopic(contract))
}

const pending = (waitsFor: readonly WaitsFor[]): OperationStanding => {
  return { state: { kind: 'pending', status: 'pending' }, waitsFor, isAccepted: true }
}
const ended = (state: OperationStanding['state']): OperationStanding => {
  return { state, waitsFor: [], isAccepted: true }
}

/** Events of a decision that a saga has not processed yet, or holds. */
export async function unheardOf(
  listed: Listed,
  events: readonly { readonly topic: string; readonly id: string; readonly type: string }[],
): Promise<readonly WaitsFor[]> {
  const { log, store } = listed.backend
  const waits: WaitsFor[] = []
  for (const { topic, id, type } of events) {
    const sagas = rulesIn(listed, ({ is, reads, hears }) => {
      return is === 'saga' && reads.includes(topic) && (hears?.includes(type) ?? true)
    })
    const record = sagas.length > 0 ? await log.find?.(topic, id) : undefined
    if (!record) continue
    const heldBy = await holderOf(listed, sagas, record)
    const progress = await store.progress(sagas.map((saga) => saga.id))
    if (heldBy !== undefined) waits.push({ kind: 'event', types: [type], heldBy })
    else if (sagas.some((saga) => !hasPassed(progress, saga.id, record)))
      waits.push({ kind: 'event', types: [type] })
  }
  return waits
}
