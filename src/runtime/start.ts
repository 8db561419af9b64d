import { mayStart } from '../base/without-starting.ts'
import type {
  CodeOf,
  CommandMessage,
  CommandType,
  Message,
  QueryMessage,
} from '../contract/message.ts'
import { runEngine } from '../engine/engine.ts'
import type { FoundOperation, Operation } from '../engine/operations.ts'
import { findById, operationOf } from '../engine/operations.ts'
import type { RebuildOptions, Rebuilt } from '../engine/rebuild.ts'
import { ask } from '../engine/reading.ts'
import type { Rewound, RewindAt, RewindTo } from '../engine/rewind.ts'
import { rewind } from '../engine/rewind.ts'
import type { AppendOptions, Appended, SendOptions } from '../engine/sender.ts'
import type { ConsumerStatus } from '../engine/status.ts'
import type { HealthReport } from '../engine/health.ts'
import { healthOf } from '../engine/health.ts'
import { whileRunning } from '../engine/until-ended.ts'
import { statusOf } from '../engine/status.ts'
import { heldKeys } from '../engine/held-keys.ts'
import type {
  HeldKey,
  HeldOptions,
  Listing,
  OpenSaga,
  OperationEntry,
  OperationsOptions,
  SagasOptions,
  TimerEntry,
  TimersOptions,
  Unsettled,
} from '../engine/listings.ts'
import { openSagas } from '../engine/open-sagas.ts'
import { operationList } from '../engine/operation-list.ts'
import { timerList } from '../engine/timer-list.ts'
import { settled, unsettledOf } from '../engine/unsettled.ts'
import type { Backend } from '../ports/store.ts'
import type { Service, ToolsFor } from '../rules/service.ts'
import type { Description } from './describe.ts'
import { describe } from './describe.ts'
import type { StartOptions } from './equip.ts'
import { equip, opened } from './equip.ts'
import { operate, runningSystem, socketOf } from './operating.ts'

export type { StartOptions } from './equip.ts'

/** The tools that the services' handlers need; nothing to say where none does. */
export type WithTools<T> = keyof T extends never
  ? { readonly tools?: Readonly<Record<string, unknown>> }
  : { readonly tools: T }

/** A running system of services. */
export interface App {
  /**
   * Sends a command. Durable, as the backend's ack says, when it resolves; the same id sent again
   * takes effect once. Calls with one key keep their order.
   *
   * @throws Fault `MESSAGE_INVALID` with all complaints, `ID_CONFLICT`, `BACKPRESSURE`,
   * `LOG_UNKNOWN`, `EARLIER_NOT_STORED`, `APP_STOPPING`
   */
  send<R extends string = string>(
    command: CommandMessage<string, string, unknown, R>,
    options?: SendOptions,
  ): Promise<SentOperation<R>>
  /**
   * Appends a batch with one sync: commands, and events of a contract owned here that no rule here
   * publishes, such as the readings of a sensor. One answer for each, in their order; what is stored
   * is durable, as the backend's ack says. Messages of one key keep their order: after the first that
   * was not stored, later ones of that key are refused (`EARLIER_NOT_STORED`). With `isAtomic` one
   * refusal refuses all, over all topics (`BATCH_REFUSED`). At most 10,000 messages.
   *
   * @throws Fault `BACKPRESSURE`, `APP_STOPPING`, and then has taken none
   */
  append(messages: readonly Message[], options?: AppendOptions): Promise<readonly Appended[]>
  /** The operation of a command that was sent before, also before a restart. */
  operation<T extends CommandType>(command: T, id: string): Operation<CodeOf<T>>
  /** The operation of a command that was sent to a service here, by its id; also before a restart. */
  find(id: string): Promise<FoundOperation | undefined>
  /** Answers a query from the owning service's committed rows. */
  ask<A>(query: QueryMessage<string, string, unknown, A>): Promise<A>
  /** What runs, as data. */
  describe(): Description
  /** Counters and lag of every consumer, from one consistent read. */
  status(): Promise<readonly ConsumerStatus[]>
  /** How the system is, told as it is. */
  health(): Promise<HealthReport>
  /**
   * The keys that are held, each with the event in front, what was thrown at it, and when it is tried
   * again.
   *
   * @throws Fault `OPTION_INVALID`, `RULE_NOT_FOUND`
   */
  held(options?: HeldOptions): Promise<Listing<HeldKey>>
  /**
   * The instances of sagas that have not finished, the oldest first, and what each waits for.
   *
   * @throws Fault `OPTION_INVALID`, `RULE_NOT_FOUND`
   */
  sagas(options?: SagasOptions): Promise<Listing<OpenSaga>>
  /**
   * The commands from outside that the log retains, the newest first, and where each stands.
   *
   * @throws Fault `OPTION_INVALID`
   */
  operations(options?: OperationsOptions): Promise<Listing<OperationEntry>>
  /**
   * The timers that sagas have set, in the order in which they are due.
   *
   * @throws Fault `OPTION_INVALID`, `RULE_NOT_FOUND`
   */
  timers(options?: TimersOptions): Promise<Listing<TimerEntry>>
  /**
   * Has a service take nothing more until `resume`; what is in hand commits first. Stored, so that
   * it survives a restart. Queries are still answered. Idempotent.
   *
   * @throws Fault `SERVICE_NOT_FOUND`
   */
  pause(service: string): Promise<void>
  resume(service: string): Promise<void>
  /**
   * Has a handler begin again elsewhere in the topics that it reads: at their ends, at an offset, or
   * at what was stored since a time. What it handles again keeps its effect key and is counted
   * again; what it passes over is counted nowhere. Works while it runs, from any process.
   *
   * @param consumer `<service>/<handler>`
   * @param at only this topic, or this partition of it; an offset needs both
   * @throws Fault `RULE_NOT_FOUND`, `REWIND_REFUSED`, `OPTION_INVALID`, `STORE_UNKNOWN`
   */
  rewind(consumer: string, to: RewindTo, at?: RewindAt): Promise<readonly Rewound[]>
  /**
   * Makes the rows of a projection, named as `SERVICE/PROJECTION`, anew: from the first event that
   * is retained, into shadow rows, while the live ones are kept up and read; then the shadow takes
   * their place at once. Survives a restart. One that is under way is joined. Resolves when it is
   * done; `signal` ends the waiting only.
   *
   * @throws Fault `PROJECTION_NOT_FOUND`, `REBUILD_FAILED`
   */
  rebuild(projection: string, options?: RebuildOptions): Promise<Rebuilt>
  /**
   * Resolves once everything that was accepted is done: nothing unread, held or under way, and no
   * rows that a changed projection has yet to make anew.
   *
   * @throws Fault `NOT_SETTLED` once the signal aborts, with what it still waits for
   */
  settled(options?: { readonly signal?: AbortSignal }): Promise<void>
  /** What `settled` waits for at the moment; empty once everything is done. */
  unsettled(): Promise<readonly Unsettled[]>
  /**
   * Takes nothing new, ends what is in hand, gives up claims and closes the backend. Handlers that
   * run longer than `graceMs` (default 10,000) see their signal abort; those that have not ended a
   * second later are left behind, and `broke` hears which. Afterwards everything but `describe` throws `APP_STOPPING`. Idempotent.
   */
  stop(options?: { readonly graceMs?: number }): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** The operation of a command just sent. */
export interface SentOperation<R extends string = string> extends Operation<R> {
  /** The log had this id already: it was sent before. */
  readonly isRepeat: boolean
}

const GRACE_MS = 10_000

/**
 * Starts services on a backend: checks that they fit together, creates topics and tables, and
 * sets every rule going. A module that is imported by a thread, or read by a command, starts nothing.
 *
 * @throws Fault `START_REFUSED`, `SCHEMA_INVALID` and `CONTRACT_INCOMPATIBLE` with all complaints,
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
  await mayStart('start')
  return launch(services, backend, rest[0] ?? {})
}

/** What `start` does, without its types. */
export async function launch(
  services: readonly Service[],
  backend: Backend,
  given: StartOptions & { readonly tools?: unknown },
): Promise<App> {
  const ended = new AbortController()
  const equipment = equip(services, backend, given, ended.signal)
  // What a thread refuses is refused before the backend is touched.
  await equipment.threads?.open()
  const engineTools = await opened(equipment).catch(async (cause: unknown) => {
    await equipment.threads?.stop()
    throw cause
  })
  const { plan, pauses, watch: tell } = engineTools
  const engine = await runEngine(engineTools)
  const system = runningSystem(engineTools, engine)
  const socket = await socketOf(backend.directory, system, tell)
  const stop = (graceMs = GRACE_MS): Promise<void> =>
    engine.stop(graceMs, () => {
      ended.abort()
      void socket?.close()
    })
  /** What needs the backend is refused by name once that is closed. */
  const whileUp = <T>(call: () => Promise<T>): Promise<T> => whileRunning(ended.signal, call)
  const app: App = {
    async send(message, sendOptions = {}) {
      const { id, command, isRepeat } = await engine.sender.send(message, sendOptions)
      return { ...operationOf(engineTools, id, command), isRepeat } as never
    },
    append: (messages, appendOptions = {}) => engine.sender.append(messages, appendOptions),
    operation: (command, id) => operationOf(engineTools, id, command) as never,
    find: (id) => whileUp(() => findById(engineTools, id)),
    ask: (query) => whileUp(() => ask(engineTools, query)) as never,
    describe: () => describe(plan),
    status: () => whileUp(() => statusOf(engineTools)),
    health: () => whileUp(() => healthOf(engineTools)),
    pause: (service) => whileUp(() => pauses.set(service, true)),
    rewind: (consumer, to, at) => whileUp(() => rewind(engineTools, { consumer, to, ...at })),
    resume: (service) => whileUp(() => pauses.set(service, false)),
    rebuild: (name, waiting = {}) => whileUp(() => engine.rebuild(name, waiting)),
    held: (asked) => whileUp(() => heldKeys(engineTools, asked)),
    sagas: (asked) => whileUp(() => openSagas(engineTools, asked)),
    operations: (asked) => whileUp(() => operationList(engineTools, asked)),
    timers: (asked) => whileUp(() => timerList(engineTools, asked)),
    settled: ({ signal } = {}) => whileUp(() => settled(engineTools, signal)),
    unsettled: () => whileUp(() => unsettledOf(engineTools)),
    stop: ({ graceMs } = {}) => stop(graceMs),
    [Symbol.asyncDispose]: () => stop(),
  }
  operate(app, system)
  return app
}
