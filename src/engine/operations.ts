import { pause } from '../base/clock.ts'
import { Fault } from '../base/fault.ts'
import { commandsTopic, eventsTopic } from '../contract/contract.ts'
import { flawOfKey } from '../contract/door.ts'
import type { CommandType } from '../contract/message.ts'
import type { Outcome, OutcomeName } from '../rules/effect.ts'
import type { OperationRow } from './decide.ts'
import { operationKey } from './decide.ts'
import { instancesIn, isSaga } from './open-sagas.ts'
import { unheardOf } from './operation-list.ts'
import { rulesIn } from './paging.ts'
import type { ProjectedOptions } from './projected.ts'
import { notProjected, projected } from './projected.ts'
import type { EngineTools } from './tools.ts'
import { mustRun } from './until-ended.ts'

/** What became of a command's own unit. */
export type Accepted<R extends string = string> =
  | { readonly is: 'accepted' }
  | { readonly is: 'refused'; readonly code: R; readonly complaints: readonly string[] }

type Refused = Extract<Accepted, { readonly is: 'refused' }>

/** What became of it in the end, sagas included. */
export type Settled<R extends string = string> =
  | (Outcome & { readonly is: OutcomeName })
  | { readonly is: 'refused'; readonly code: R; readonly complaints: readonly string[] }

/** Where a command stands at the moment. */
export type OperationState<R extends string = string> =
  | {
      readonly is: 'pending'
      /** The command's unit has committed; sagas that its events started have yet to finish. */
      readonly isAccepted: boolean
    }
  | Settled<R>

/** A command on its way; the answers survive a restart. */
export interface Operation<R extends string = string> {
  readonly id: string
  /** Where it stands, without waiting. */
  look(): Promise<OperationState<R>>
  /** Resolves once the command's unit has committed, or it was refused. */
  accepted(options?: { readonly signal?: AbortSignal }): Promise<Accepted<R>>
  /** Resolves once every saga that its events started has finished, too. */
  settled(options?: { readonly signal?: AbortSignal }): Promise<Settled<R>>
  /**
   * Reading your own writes: resolves once the command's unit has committed and the projections of
   * this app have folded what it published, so that a query sees it. Waits for every projection that
   * hears events or refusals of the command's contract, or for those that `of` names, until they have
   * passed the ends that their topics had when the unit had committed, or when this was called, whichever
   * was later. So it covers what sagas have done, too, if it is called after `settled`.
   *
   * It goes by what is stored: it can be asked after a restart, and while another process of the same
   * service folds. It waits while a projection is paused or its rows are made anew, and while it holds a
   * message of this conversation under the key of the command or of one of its events; never for what is
   * held of others.
   *
   * @throws Fault `NOT_PROJECTED` once the signal aborts, with what it still waits for,
   * `PROJECTION_NOT_FOUND`, `OPERATION_NOT_FOUND`, `APP_STOPPING`
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
    const complaints = [{ path: 'operation', message: 'the command has not been decided' }]
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
      // Looked at once at least, whether or not the signal has aborted.
      const known = await findOperation(engine, id, command)
      const row = known ?? (await decided(signal).catch(undecided(signal)))
      await projected(engine, { id, command, row }, asked)
      return acceptedAs(row)
    },
  }
}

const acceptedAs = (row: OperationRow): Accepted =>
  row.is === 'refused' ? refusedAs(row) : { is: 'accepted' }

/** Looks until there is something to see: when told of a change, and now and then. */
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
 * The operation of a command that a contract owned here has taken, whatever its type; where several
 * have one under this id, that in `topic`, or any. Only with a log that finds by id, while that retains the command.
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
    const detail = `${command.contract} is owned by a service elsewhere, which keeps its operations`
    throw new Fault('OPERATION_NOT_FOUND', { detail, ids: { id } })
  }
  const table = owner.names.operations
  const look = async (): Promise<OperationRow | undefined> => {
    // Rows were once kept by the id alone, whichever topic it belonged to.
    const keys = [operationKey(command, id), id].map((key) => ({ table, key }))
    const [row, old] = (await backend.store.get(keys)).map(
      (each) => each && (JSON.parse(each.body) as OperationRow),
    )
    return row ?? (old && mayAnswer(old, command) ? old : undefined)
  }
  const found = await look()
  if (found || !backend.log.find) return found
  if (await backend.log.find(commandsTopic(command.contract), id)) return undefined
  // Looked at once more, since the command may have come, gone and been forgotten in between.
  const late = await look()
  if (late) return late
  throw new Fault('OPERATION_NOT_FOUND', { detail: `${command.wire} ${id}`, ids: { id } })
}

/** Whether a row that is kept by the id alone can be that of a command. */
function mayAnswer(row: OperationRow, { contract, refuses }: CommandType): boolean {
  if (row.is === 'refused') return refuses.includes(row.code)
  return row.events.every(({ topic }) => topic === eventsTopic(contract))
}

/** Without what is of no concern to whoever asks. */
function refusedAs({ is, code, complaints }: Refused): Refused {
  return { is, code, complaints }
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
    // The same id in another topic is another conversation.
    if (instance.origin !== row.origin) continue
    if (instance.is === 'open') return undefined
    outcomes.push(instance.outcome as Settled)
  }
  return outcomes.find(({ is }) => is !== 'completed') ?? { is: 'completed' }
}
