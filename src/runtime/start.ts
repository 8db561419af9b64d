import { assertKnownOptions } from '../base/options.ts'
import { assertStartAllowed } from '../base/start-guard.ts'
import type {
  RefusalCodeOf,
  CommandMessage,
  CommandType,
  Message,
  QueryMessage,
} from '../contract/message.ts'
import type { EdgeStatus } from '../edges/run-edges.ts'
import { runEdges } from '../edges/run-edges.ts'
import { runEngine } from '../engine/engine.ts'
import type {
  FoundOperation,
  Operation,
  AppendOptions,
  AppendResult,
  SendOptions,
} from '../engine/producer/index.ts'
import { findOperationById, createOperation } from '../engine/producer/index.ts'
import type { RebuildOptions, RebuildResult } from '../engine/rebuild/index.ts'
import { answerQuery } from '../engine/query.ts'
import type { ConsumerStatus, HealthReport } from '../engine/operations/index.ts'
import {
  checkHealth,
  readConsumerStatus,
  waitUntilSettled,
  readUnsettled,
} from '../engine/operations/index.ts'
import { whileRunning } from '../engine/context/index.ts'
import { heldKeys, openSagas, listOperations, listTimers } from '../engine/listing/index.ts'
import type {
  HeldKey,
  HeldKeysOptions,
  ListPage,
  OpenSaga,
  OperationEntry,
  OperationsOptions,
  SagasOptions,
  TimerEntry,
  TimersOptions,
  UnsettledWork,
} from '../engine/listing/index.ts'
import type { Backend } from '../ports/event-store.ts'
import type { Service, ToolsFor } from '../rules/service.ts'
import type { OperatorCalls } from './audited-calls.ts'
import { auditedCalls } from './audited-calls.ts'
import type { AppDescription } from './describe.ts'
import { describe } from './describe.ts'
import type { StartOptions } from './engine-context.ts'
import { START_OPTIONS, prepareEngine, createEngineContext } from './engine-context.ts'
import { registerSystem, createRunningSystem, openControlSocket } from './running-system.ts'

export type { StartOptions } from './engine-context.ts'

/** The tools that the handlers of the services need; optional if none needs any. */
export type WithTools<T> = keyof T extends never
  ? { readonly tools?: Readonly<Record<string, unknown>> }
  : { readonly tools: T }

/** A running system of services. */
export interface App extends OperatorCalls {
  /**
   * Sends a command. When it resolves, the command is stored as durably as the ack of the backend
   * promises. A command that is sent again with the same id takes effect once. Calls with the same key
   * keep their order.
   *
   * @throws Fault `MESSAGE_INVALID` with all issues, `ID_CONFLICT`, `BACKPRESSURE`,
   * `LOG_UNKNOWN`, `EARLIER_NOT_STORED`, `APP_STOPPING`
   */
  send<R extends string = string>(
    command: CommandMessage<string, string, unknown, R>,
    options?: SendOptions,
  ): Promise<SentOperation<R>>
  /**
   * Appends a batch of up to 10,000 messages with one sync: commands, and events of a contract owned
   * here that no rule publishes, such as the readings of a sensor. Gives one result per message, in
   * order; stored messages are as durable as the ack of the backend promises. Messages of one key keep
   * their order: after the first that was not stored, later ones of that key are refused
   * (`EARLIER_NOT_STORED`). With `isAtomic`, one refusal refuses the whole batch (`BATCH_REFUSED`).
   *
   * @throws Fault `BACKPRESSURE`, `APP_STOPPING`; then no message was stored
   */
  append(messages: readonly Message[], options?: AppendOptions): Promise<readonly AppendResult[]>
  /** The operation of a command that was sent earlier, also before a restart. */
  operation<T extends CommandType>(command: T, id: string): Operation<RefusalCodeOf<T>>
  /** Finds the operation of a command to a service of this app by the id of the command alone. */
  find(id: string): Promise<FoundOperation | undefined>
  /** Answers a query from the committed rows of the service that owns its contract. */
  ask<A>(query: QueryMessage<string, string, unknown, A>): Promise<A>
  /** The services, contracts and topics, as JSON data. */
  describe(): AppDescription
  /** Counters and lag of every consumer; the counters come from one consistent read. */
  status(): Promise<readonly ConsumerStatus[]>
  /** What the edges have received since the start. What they publish is in `status`, as of any handler. */
  edges(): Promise<readonly EdgeStatus[]>
  /** The health of log, store and consumers, with alarms. */
  health(): Promise<HealthReport>
  /**
   * The held keys, each with the event in front, its error and the time of the next attempt.
   *
   * @throws Fault `OPTION_INVALID`, `RULE_NOT_FOUND`
   */
  heldKeys(options?: HeldKeysOptions): Promise<ListPage<HeldKey>>
  /**
   * The saga instances that have not finished, oldest first, and what each waits for.
   *
   * @throws Fault `OPTION_INVALID`, `RULE_NOT_FOUND`
   */
  sagas(options?: SagasOptions): Promise<ListPage<OpenSaga>>
  /**
   * The operations of retained commands from outside, newest first, with their states.
   *
   * @throws Fault `OPTION_INVALID`
   */
  operations(options?: OperationsOptions): Promise<ListPage<OperationEntry>>
  /**
   * The pending timers of sagas, ordered by due time.
   *
   * @throws Fault `OPTION_INVALID`, `RULE_NOT_FOUND`
   */
  timers(options?: TimersOptions): Promise<ListPage<TimerEntry>>
  /**
   * Rebuilds the rows of a projection, named as `SERVICE/PROJECTION`, from the first retained event
   * into shadow rows. The live rows are updated and read meanwhile; then the shadow rows replace them
   * atomically. Survives a restart. If a rebuild is in progress, the call waits for that one; `signal`
   * only ends the waiting.
   *
   * @throws Fault `PROJECTION_NOT_FOUND`, `REBUILD_FAILED`
   */
  rebuild(projection: string, options?: RebuildOptions): Promise<RebuildResult>
  /**
   * Resolves once no message is unread, held or in progress, no saga instance is open, and no changed
   * projection is still to be rebuilt.
   *
   * @throws Fault `NOT_SETTLED` once the signal aborts, with one issue for each thing it still waits for
   */
  settled(options?: { readonly signal?: AbortSignal }): Promise<void>
  /** What `settled` waits for at the moment; empty if it would resolve. */
  unsettled(): Promise<readonly UnsettledWork[]>
  /**
   * Stops gracefully: accepts nothing new, completes work in progress, releases leases and closes the
   * backend. The signal of handlers that run longer than `graceMs` (default 10,000) aborts; handlers
   * that have not ended one second later are abandoned and reported to `onBackendError`. Afterwards
   * every method but `describe` throws `APP_STOPPING`. Idempotent.
   */
  stop(options?: { readonly graceMs?: number }): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** The operation of a command that was just sent. */
export interface SentOperation<R extends string = string> extends Operation<R> {
  /** The log already held a command with this id: it had been sent before. */
  readonly isDuplicate: boolean
}

const GRACE_MS = 10_000

/**
 * Starts services on a backend: validates them together, creates topics and tables, and runs all
 * rules. Does not start in a worker thread of a handler, nor in a module that the CLI only inspects.
 *
 * @throws Fault `START_REFUSED`, `SCHEMA_INVALID` and `CONTRACT_INCOMPATIBLE` with all issues,
 * `TOPIC_DIFFERS`, `PROJECTION_CHANGED`, `OPTION_INVALID`, and what opening the backend throws
 * (`DATA_OWNED`, `DATA_FOREIGN`, `DATA_NEWER`, `DATA_DAMAGED`)
 */
export async function start<const S extends readonly Service<string, unknown>[]>(
  services: S,
  backend: Backend,
  ...rest: keyof ToolsFor<S> extends never
    ? [options?: StartOptions & WithTools<ToolsFor<S>>]
    : [options: StartOptions & WithTools<ToolsFor<S>>]
): Promise<App> {
  await assertStartAllowed('start')
  return startApp(services, backend, rest[0] ?? {})
}

/** The untyped implementation of `start`. */
export async function startApp(
  services: readonly Service[],
  backend: Backend,
  given: StartOptions & { readonly tools?: unknown },
): Promise<App> {
  assertKnownOptions('start', START_OPTIONS, given)
  const ended = new AbortController()
  const prepared = prepareEngine(services, backend, given, ended.signal)
  // Threads validate the modules of handlers, which must fail before the backend is opened.
  await prepared.threads?.open()
  const engineTools = await createEngineContext(prepared).catch(async (cause: unknown) => {
    await prepared.threads?.stop()
    throw cause
  })
  const { plan, monitor: watcher } = engineTools
  const engine = await runEngine(engineTools)
  const system = createRunningSystem(engineTools, engine)
  const socket = await openControlSocket(backend.directory, system, watcher)
  const edges = runEdges(services, engineTools.tools, {
    append: engine.sender.append,
    clock: engineTools.clock,
    failed: (edge, cause) => watcher.failed(`edge ${edge}`, cause),
    recovered: (edge) => watcher.recovered(`edge ${edge}`),
    onRejected: prepared.onEdgeRejected,
  })
  const stop = async (graceMs = GRACE_MS): Promise<void> => {
    const received = edges.stopReceiving()
    await engine.stop(graceMs, () => {
      ended.abort()
      void socket?.close()
    })
    await received
    await edges.close()
  }
  /** Throws `APP_STOPPING` once the backend is closed. */
  const whileOpen = <T>(call: () => Promise<T>): Promise<T> => whileRunning(ended.signal, call)
  const app: App = {
    async send(message, sendOptions = {}) {
      const { id, command, isDuplicate } = await engine.sender.send(message, sendOptions)
      return { ...createOperation(engineTools, id, command), isDuplicate } as never
    },
    append: (messages, appendOptions = {}) => engine.sender.append(messages, appendOptions),
    operation: (command, id) => createOperation(engineTools, id, command) as never,
    find: (id) => whileOpen(() => findOperationById(engineTools, id)),
    ask: (query) => whileOpen(() => answerQuery(engineTools, query)) as never,
    describe: () => describe(plan),
    status: () => whileOpen(() => readConsumerStatus(engineTools)),
    edges: () => whileOpen(async () => edges.status()),
    ...auditedCalls(system),
    health: () => whileOpen(() => checkHealth(engineTools)),
    rebuild: (name, waiting = {}) => whileOpen(() => engine.rebuild(name, waiting)),
    heldKeys: (asked) => whileOpen(() => heldKeys(engineTools, asked)),
    sagas: (asked) => whileOpen(() => openSagas(engineTools, asked)),
    operations: (asked) => whileOpen(() => listOperations(engineTools, asked)),
    timers: (asked) => whileOpen(() => listTimers(engineTools, asked)),
    settled: ({ signal } = {}) => whileOpen(() => waitUntilSettled(engineTools, signal)),
    unsettled: () => whileOpen(() => readUnsettled(engineTools)),
    stop: ({ graceMs } = {}) => stop(graceMs),
    [Symbol.asyncDispose]: () => stop(),
  }
  registerSystem(app, system)
  return app
}
