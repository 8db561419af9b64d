import { pause } from '../base/clock.ts'
import type { Complaint } from '../base/fault.ts'
import { Fault } from '../base/fault.ts'
import { commandsTopic, eventsTopic } from '../contract/contract.ts'
import { flawOfKey } from '../contract/door.ts'
import type { CommandType } from '../contract/message.ts'
import type { Outcome, OutcomeName } from '../rules/effect.ts'
import { complaintsIn } from '../rules/effect.ts'
import { outcomeOf } from './advance.ts'
import type { OperationRow } from './decide.ts'
import { operationKey } from './decide.ts'
import { instancesIn, isSaga } from './open-sagas.ts'
import { unheardOf } from './operation-list.ts'
import { rulesIn } from './paging.ts'
import type { ProjectedOptions } from './projected.ts'
import { notProjected, projected } from './projected.ts'
import type { EngineTools } from './tools.ts'
import { mustRun } from './until-ended.ts'

/** The result of a command's own unit. */
export type Accepted<R extends string = string> =
  | { readonly is: 'accepted' }
  | { readonly is: 'refused'; readonly code: R; readonly complaints: readonly Complaint[] }

type Refused = Extract<Accepted, { readonly is: 'refused' }>

/** The final result, sagas included. */
export type Settled<R extends string = string> =
  | (Outcome & { readonly is: OutcomeName })
  | { readonly is: 'refused'; readonly code: R; readonly complaints: readonly Complaint[] }

/** The current state of a command. */
export type OperationState<R extends string = string> =
  | {
      readonly is: 'pending'
      /** The command's unit has committed; sagas that its events started have yet to finish. */
      readonly isAccepted: boolean
    }
  | Settled<R>

/** A command that was sent. Its answers survive a restart. */
export interface Operation<R extends string = string> {
  readonly id: string
  /** The current state, without waiting. */
  look(): Promise<OperationState<R>>
  /** Resolves once the command's unit has committed, or the command was refused. */
  accepted(options?: { readonly signal?: AbortSignal }): Promise<Accepted<R>>
  /** Resolves once every saga started by its events has finished as well. */
  settled(options?: { readonly signal?: AbortSignal }): Promise<Settled<R>>
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
  projected(options?: ProjectedOptions): Promise<Accepted<R>>
}

/** An operation that was found by its id alone. */
export interface FoundOperation extends Operation {
  readonly command: CommandType
}

export function operationOf(engine: EngineTools, id: string, command: CommandType): Operation {
  const wait = <T>(look: () => Promise<T | undefined>, signal?: AbortSignal): Promise<T> =>
    waitFor(engine, id, look, signal)
  const decided = (signal?: AbortSignal): Promise<OperationRow> =>
    wait(() => findOperation(engine, id, command), signal)
  const undecided = (signal?: AbortSignal) => (cause: unknown) => {
    if (!signal?.aborted || cause !== signal.reason) throw cause
    const complaints = [{ path: 'operation', message: 'the command is not decided yet' }]
    throw notProjected({ id, command }, complaints, signal)
  }
  return {
    id,
    async look() {
      mustRun(engine.ended, { id })
      const row = await findOperation(engine, id, command)
      return (await settledBy(engine, id, row)) ?? { is: 'pending', isAccepted: row !== undefined }
    },
    accepted: async ({ signal } = {}) => acceptedAs(await decided(signal)),
    settled: ({ signal } = {}) =>
      wait(async () => settledBy(engine, id, await findOperation(engine, id, command)), signal),
    async projected(asked = {}) {
      const { signal } = asked
      mustRun(engine.ended, { id })
      // Checks at least once, even if the signal has already aborted.
      const known = await findOperation(engine, id, command)
      const row = known ?? (await decided(signal).catch(undecided(signal)))
      await projected(engine, { id, command, row }, asked)
      return acceptedAs(row)
    },
  }
}

const acceptedAs = (row: OperationRow): Accepted =>
  row.is === 'refused' ? refusedAs(row) : { is: 'accepted' }

/**
 * Calls `look` until it returns a result: after each change of the operation, and from time to
 * time.
 */
async function waitFor<T>(
  { watch, clock, options, ended }: EngineTools,
  id: string,
  look: () => Promise<T | undefined>,
  signal?: AbortSignal,
): Promise<T> {
  for (;;) {
    signal?.throwIfAborted()
    mustRun(ended, { id })
    const told = new AbortController()
    const cancel = watch.onTouched(id, () => told.abort())
    try {
      const found = await look()
      if (found !== undefined) return found
      const either = AbortSignal.any([ended, told.signal, ...(signal ? [signal] : [])])
      await pause(clock, options.idleMs, either)
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
export async function findById(
  engine: EngineTools,
  id: string,
  topic?: string,
): Promise<FoundOperation | undefined> {
  const { plan, backend } = engine
  if (flawOfKey(id)) return undefined
  for (const contract of plan.owners.keys()) {
    if (topic !== undefined && topic !== commandsTopic(contract)) continue
    const record = await backend.log.find?.(commandsTopic(contract), id)
    const command = record && plan.contracts.get(contract)?.byWire.get(record.type)
    if (command?.kind === 'command') return { ...operationOf(engine, id, command), command }
  }
  return undefined
}

async function findOperation(
  { plan, backend }: EngineTools,
  id: string,
  command: CommandType,
): Promise<OperationRow | undefined> {
  const owner = plan.owners.get(command.contract)
  if (!owner) {
    const detail = `${command.contract} is owned by a remote service: ask that service for the operation`
    throw new Fault('OPERATION_NOT_FOUND', { detail, ids: { id } })
  }
  const table = owner.names.operations
  const look = async (): Promise<OperationRow | undefined> => {
    // Earlier versions stored rows by id alone, for all topics.
    const keys = [operationKey(command, id), id].map((key) => ({ table, key }))
    const [row, old] = (await backend.store.get(keys)).map(
      (each) => each && (JSON.parse(each.body) as OperationRow),
    )
    return row ?? (old && mayAnswer(old, command) ? old : undefined)
  }
  const found = await look()
  if (found || !backend.log.find) return found
  if (await backend.log.find(commandsTopic(command.contract), id)) return undefined
  // Read again, since the command may have been stored, decided and deleted in between.
  const late = await look()
  if (late) return late
  throw new Fault('OPERATION_NOT_FOUND', { detail: `${command.wire} ${id}`, ids: { id } })
}

/** Whether a row stored by id alone can belong to this command. */
function mayAnswer(row: OperationRow, { contract, refuses }: CommandType): boolean {
  if (row.is === 'refused') return refuses.includes(row.code)
  return row.events.every(({ topic }) => topic === eventsTopic(contract))
}

/** The refusal that a row keeps, as its caller sees it. */
function refusedAs({
  code,
  complaints,
}: Extract<OperationRow, { readonly is: 'refused' }>): Refused {
  return { is: 'refused', code, complaints: complaintsIn(complaints) }
}

async function settledBy(
  engine: EngineTools,
  id: string,
  row: OperationRow | undefined,
): Promise<Settled | undefined> {
  if (!row) return undefined
  if (row.is === 'refused') return refusedAs(row)
  if ((await unheardOf(engine, row.events)).length > 0) return undefined
  const outcomes: Settled[] = []
  for (const { row: instance } of await instancesIn(engine, rulesIn(engine, isSaga), id)) {
    // The same id in another topic is another operation.
    if (instance.origin !== row.origin) continue
    if (instance.is === 'open') return undefined
    outcomes.push(outcomeOf(instance.outcome) as Settled)
  }
  return outcomes.find(({ is }) => is !== 'completed') ?? { is: 'completed' }
}
