import type { LogRecord } from '../../ports/event-log.ts'
import type { EventStore } from '../../ports/event-store.ts'
import type { ServicePlan } from '../plan/index.ts'
import { serviceTables } from '../plan/index.ts'
import { sleep } from '../../base/time/clock.ts'
import type { Issue } from '../../base/errors/fault.ts'
import { Fault } from '../../base/errors/fault.ts'
import { commandsTopic, eventsTopic } from '../../contract/contract.ts'
import type { CommandType } from '../../contract/message.ts'
import type { Outcome, OutcomeName } from '../../rules/effect.ts'
import { toIssues } from '../../rules/effect.ts'
import { outcomeOf, operationKey } from '../execution/index.ts'
import type { OperationRow } from '../execution/index.ts'
import { instancesOfOperation, isSaga, findUnheardEvents, findRules } from '../listing/index.ts'
import type { ProjectedOptions } from './wait-for-projections.ts'
import { notProjected, waitForProjections } from './wait-for-projections.ts'
import type { EngineContext } from '../context/index.ts'
import { assertRunning } from '../context/index.ts'
import { invalidKeyReason } from '../../contract/message-key.ts'

/** The result of a command's own unit. */
export type AcceptedResult<R extends string = string> =
  | { readonly status: 'accepted' }
  | { readonly status: 'refused'; readonly code: R; readonly issues: readonly Issue[] }
  | FailedResult

/**
 * The command is a dead letter: its rule throws. A redrive may still decide it, so a later look may
 * give another result.
 */
export interface FailedResult {
  readonly status: 'failed'
  readonly reason: string
  /** The code of the error, if it has one: of a `Fault`, or the `code` of what the rule has thrown. */
  readonly code?: string
}

type RefusedResult = Extract<AcceptedResult, { readonly status: 'refused' }>

/** The final result, sagas included. */
export type SettledResult<R extends string = string> =
  | (Outcome & { readonly status: OutcomeName })
  | { readonly status: 'refused'; readonly code: R; readonly issues: readonly Issue[] }
  | FailedResult

/** The current state of a command. */
export type OperationState<R extends string = string> =
  | {
      readonly status: 'pending'
      /** The command's unit has committed; sagas that its events started have yet to finish. */
      readonly isAccepted: boolean
    }
  | SettledResult<R>

/** A command that was sent. Its answers survive a restart. */
export interface Operation<R extends string = string> {
  readonly id: string
  /** The current state, without waiting. */
  state(): Promise<OperationState<R>>
  /** Resolves once the command's unit has committed, or the command was refused. */
  accepted(options?: { readonly signal?: AbortSignal }): Promise<AcceptedResult<R>>
  /** Resolves once every saga started by its events has finished as well. */
  settled(options?: { readonly signal?: AbortSignal }): Promise<SettledResult<R>>
  /**
   * Read your own writes: resolves once the command's unit has committed and the projections of this
   * app have folded what it published, so that a query sees it. Waits for every projection that
   * subscribes to events or refusals of the command's contract, or for those in `of`, until they have
   * passed the ends that their topics had when the unit had committed or when this was called,
   * whichever was later. Called after `settled`, it therefore covers what sagas have published.
   *
   * It reads stored progress, so it works after a restart, and while another process of the same
   * service folds. It waits while a projection is paused or its rows are rebuilt, and while it holds a
   * message of this conversation under the key of the command or of one of its events. Messages of
   * other conversations that are held do not delay it.
   *
   * @throws Fault `NOT_PROJECTED` once the signal aborts, with an issue for each projection that is
   * behind; `PROJECTION_NOT_FOUND`, `OPERATION_NOT_FOUND`, `APP_STOPPING`
   */
  projected(options?: ProjectedOptions): Promise<AcceptedResult<R>>
}

/** An operation that was found by its id alone. */
export interface FoundOperation extends Operation {
  readonly command: CommandType
}

export function createOperation(
  engine: EngineContext,
  id: string,
  command: CommandType,
): Operation {
  const wait = <T>(state: () => Promise<T | undefined>, signal?: AbortSignal): Promise<T> =>
    waitUntilFound(engine, id, state, signal)
  const decided = (signal?: AbortSignal): Promise<OperationRow> =>
    wait(() => readOperationRow(engine, id, command), signal)
  const undecided = (signal?: AbortSignal) => (cause: unknown) => {
    if (!signal?.aborted || cause !== signal.reason) throw cause
    const issues = [{ path: 'operation', message: 'the command is not decided yet' }]
    throw notProjected({ id, command }, issues, signal)
  }
  return {
    id,
    async state() {
      assertRunning(engine.stopped, { id })
      const row = await readOperationRow(engine, id, command)
      return (
        (await settledBy(engine, id, row)) ?? { status: 'pending', isAccepted: row !== undefined }
      )
    },
    accepted: async ({ signal } = {}) => acceptedAs(await decided(signal)),
    settled: ({ signal } = {}) =>
      wait(async () => settledBy(engine, id, await readOperationRow(engine, id, command)), signal),
    async projected(asked = {}) {
      const { signal } = asked
      assertRunning(engine.stopped, { id })
      // Checks at least once, even if the signal has already aborted.
      const known = await readOperationRow(engine, id, command)
      const row = known ?? (await decided(signal).catch(undecided(signal)))
      await waitForProjections(engine, { id, command, row }, asked)
      return acceptedAs(row)
    },
  }
}

const acceptedAs = (row: OperationRow): AcceptedResult =>
  row.is === 'refused'
    ? toRefused(row)
    : row.is === 'failed'
      ? toFailed(row)
      : { status: 'accepted' }

/**
 * Calls `look` until it returns a result: after each change of the operation, and from time to
 * time.
 */
async function waitUntilFound<T>(
  { monitor, clock, options, stopped }: EngineContext,
  id: string,
  look: () => Promise<T | undefined>,
  signal?: AbortSignal,
): Promise<T> {
  for (;;) {
    signal?.throwIfAborted()
    assertRunning(stopped, { id })
    const changed = new AbortController()
    const cancel = monitor.onConversationChanged(id, () => changed.abort())
    try {
      const found = await look()
      if (found !== undefined) return found
      const either = AbortSignal.any([stopped, changed.signal, ...(signal ? [signal] : [])])
      await sleep(clock, options.idleMs, either)
    } finally {
      cancel()
    }
  }
}

/**
 * The operation of a command of a contract owned here, of any type. If several commands have this
 * id, the one in `topic`, or else any. Needs a log that finds records by id, and works as long as
 * the log retains the command.
 */
export async function findOperationById(
  engine: EngineContext,
  id: string,
  topic?: string,
): Promise<FoundOperation | undefined> {
  const { plan, backend } = engine
  if (invalidKeyReason(id)) return undefined
  for (const contract of plan.owners.keys()) {
    if (topic !== undefined && topic !== commandsTopic(contract)) continue
    const record = await backend.log.find?.(commandsTopic(contract), id)
    const command = record && plan.contracts.get(contract)?.byWire.get(record.type)
    if (command?.kind === 'command') return { ...createOperation(engine, id, command), command }
  }
  return undefined
}

async function readOperationRow(
  { plan, backend, clock, options }: EngineContext,
  id: string,
  command: CommandType,
): Promise<OperationRow | undefined> {
  const owner = plan.owners.get(command.contract)
  if (!owner) {
    const detail = `${command.contract} is owned by a remote service: ask that service for the operation`
    throw new Fault('OPERATION_NOT_FOUND', { detail, ids: { id } })
  }
  const table = owner.tableNames.operations
  const look = async (): Promise<OperationRow | undefined> => {
    // Earlier versions stored rows by id alone, for all topics.
    const keys = [operationKey(command, id), id].map((key) => ({ table, key }))
    const [row, old] = (await backend.store.get(keys)).map(
      (each) => each && (JSON.parse(each.body) as OperationRow),
    )
    return row ?? (old && mayBelongTo(old, command) ? old : undefined)
  }
  const found = await look()
  if (found || !backend.log.find) return found
  const record = await backend.log.find(commandsTopic(command.contract), id)
  if (record) {
    const { operationKeptMs } = options
    const isOld = operationKeptMs > 0 && record.storedAt < clock.now() - operationKeptMs
    if (isOld && (await isPassed(backend.store, owner, record)))
      throw new Fault('OPERATION_NOT_FOUND', {
        detail: `the result of ${command.wire} ${id} is no longer kept`,
        ids: { id },
      })
    return undefined
  }
  // Read again, since the command may have been stored, decided and deleted in between.
  const late = await look()
  if (late) return late
  throw new Fault('OPERATION_NOT_FOUND', { detail: `${command.wire} ${id}`, ids: { id } })
}

/** Whether a command has been decided, going by the progress of its entity alone. */
async function isPassed(
  store: EventStore,
  { groups }: ServicePlan,
  { topic, type, partition, offset, key }: LogRecord,
): Promise<boolean> {
  const to = groups.flatMap(({ subscriptions }) => subscriptions.get(topic)?.get(type) ?? [])
  const ids = to.map(({ consumer }) => consumer.id)
  const progress = await store.progress(ids)
  const isBehind = ids.every((id) =>
    progress.some(
      (each) =>
        each.consumer === id &&
        each.topic === topic &&
        each.partition === partition &&
        each.next > offset,
    ),
  )
  const service = ids[0]?.split('/', 1)[0] ?? ''
  const holds = ids.map((id) => ({ table: serviceTables(service).holds, key: `${id}:${key}` }))
  return isBehind && (await store.get(holds)).every((row) => row === undefined)
}

/** Whether a row stored by id alone can belong to this command. */
function mayBelongTo(row: OperationRow, { contract, refuses }: CommandType): boolean {
  if (row.is === 'refused') return refuses.includes(row.code)
  return row.is === 'failed' || row.events.every(({ topic }) => topic === eventsTopic(contract))
}

/** The refusal that a row keeps, as its caller sees it. */
function toRefused({
  code,
  complaints: issues,
}: Extract<OperationRow, { readonly is: 'refused' }>): RefusedResult {
  return { status: 'refused', code, issues: toIssues(issues) }
}

function toFailed({
  reason,
  code,
}: Extract<OperationRow, { readonly is: 'failed' }>): FailedResult {
  return { status: 'failed', reason, ...(code === undefined ? {} : { code }) }
}

async function settledBy(
  engine: EngineContext,
  id: string,
  row: OperationRow | undefined,
): Promise<SettledResult | undefined> {
  if (!row) return undefined
  if (row.is === 'refused') return toRefused(row)
  if (row.is === 'failed') return toFailed(row)
  if ((await findUnheardEvents(engine, row.events)).length > 0) return undefined
  const outcomes: SettledResult[] = []
  for (const { row: instance } of await instancesOfOperation(
    engine,
    findRules(engine, isSaga),
    id,
  )) {
    // The same id in another topic is another operation.
    if (instance.origin !== row.origin) continue
    if (instance.is === 'open') return undefined
    outcomes.push(outcomeOf(instance.outcome) as SettledResult)
  }
  return outcomes.find(({ status }) => status !== 'completed') ?? { status: 'completed' }
}
