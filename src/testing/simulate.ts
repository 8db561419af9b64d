import { assertKnownOptions } from '../base/options.ts'
import { memory } from '../backends/memory/index.ts'
import type { Clock } from '../base/time/clock.ts'
import { sleep } from '../base/time/clock.ts'
import { assertSinglePackageCopy } from '../base/package-copy.ts'
import { hours } from '../base/time/duration.ts'
import { seededRandom } from '../base/random.ts'
import type { AnyContract } from '../contract/contract.ts'
import { definitionOf } from '../contract/contract.ts'
import { decodeEnvelope } from '../contract/envelope.ts'
import type { Envelope } from '../contract/envelope.ts'
import type {
  RefusalCodeOf,
  CommandMessage,
  CommandType,
  QueryMessage,
} from '../contract/message.ts'
import { createPlan, createCatalog } from '../engine/plan/index.ts'
import type { Operation, SendOptions } from '../engine/producer/index.ts'
import type { EngineOptions } from '../engine/context/index.ts'
import type { ConsumerStatus } from '../engine/operations/index.ts'
import type { DeadLetters } from '../engine/dead-letters/index.ts'
import type { RebuildResult } from '../engine/rebuild/index.ts'
import {
  readConsumerStatus,
  isSettled,
  readUnsettled,
  unsettledText,
} from '../engine/operations/index.ts'
import type { RuleError } from '../engine/failure/index.ts'
import type { EventLog, LogRecord, Position } from '../ports/event-log.ts'
import type { Backend } from '../ports/event-store.ts'
import { packageValuesOfServices } from '../rules/package-values.ts'
import type { Service, ToolsFor } from '../rules/service.ts'
import type { App, SentOperation, StartOptions, WithTools } from '../runtime/start.ts'
import { startApp } from '../runtime/start.ts'
import { createManualClock } from './manual-clock.ts'
import type { BackendLink } from './backend-link.ts'
import { createBackendLink } from './backend-link.ts'

/** The system as seen from outside, also while services are isolated. */
type OutsideView = Parameters<typeof isSettled>[0]

export interface SimulateOptions {
  /** Runs with the same seed are identical: latencies, order of events, ids, retries. */
  readonly seed: number
  /** The longest latency of half a call to the backend. Default 4 ms. */
  readonly latencyMsMax?: number
  /** Engine options. Handlers with `thread` run in the main thread, in simulated time. */
  readonly engine?: Omit<Partial<EngineOptions>, 'threadsMax'>
  /**
   * Simulated time after which `until` throws, and `settled` throws if nothing was handled meanwhile.
   * Default one hour. Use `advance` for longer timers.
   */
  readonly timeoutMs?: number
}

/** A message of the simulated log. */
export interface SimulatedMessage extends Envelope {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** The data as it is stored: a refusal calls its `issues` `complaints` there. */
  readonly data: unknown
}

/** A simulated system of services in one process and in simulated time. */
export interface Simulation {
  /** Sends a command to the service that owns it; resolves once it is stored. */
  send<R extends string = string>(
    command: CommandMessage<string, string, unknown, R>,
    options?: SendOptions,
  ): Promise<SentOperation<R>>
  /** The operation of a command that was sent, also after a crash of its owner. */
  operation<T extends CommandType>(command: T, id: string): Operation<RefusalCodeOf<T>>
  ask<A>(query: QueryMessage<string, string, unknown, A>): Promise<A>
  /** Advances time and runs everything that becomes due. */
  advance(byMs: number): Promise<void>
  /** The dead letters of a service. Await its calls with `until`. */
  deadLetters(service: string): DeadLetters
  /** Pauses a service until `resume`, as an operator does. */
  pause(service: string): Promise<void>
  resume(service: string): Promise<void>
  /** Rebuilds a projection, named as `SERVICE/PROJECTION`. */
  rebuild(projection: string): Promise<RebuildResult>
  /** Isolates a service from log and store: its calls wait, other services continue. */
  isolate(service: string): void
  heal(service: string): void
  /**
   * Crashes a service and restarts it without its memory. Calls in progress may or may not have taken
   * effect. Its work continues once its leases have expired.
   */
  crash(service: string): Promise<void>
  /**
   * Advances time until all accepted messages are handled and all sagas have finished.
   *
   * @throws Error that names what is not settled, if nothing was handled for `timeoutMs`
   */
  settled(): Promise<void>
  /** Advances time until the promise settles. */
  until<P extends Promise<unknown>>(promise: P): Promise<Awaited<P>>
  /** All messages in the log. */
  messages(): Promise<readonly SimulatedMessage[]>
  status(): Promise<readonly ConsumerStatus[]>
  /** Errors that rules have thrown so far. */
  faults(): readonly RuleError[]
  now(): number
  [Symbol.asyncDispose](): Promise<void>
}

const SIMULATE_OPTIONS = ['seed', 'latencyMsMax', 'engine', 'timeoutMs', 'tools']
const LATENCY_MS_MAX = 4
/** The interval at which `settled` checks; it doubles while nothing is handled. */
const POLL_MS = 50
const POLL_MS_MAX = 10_000
const TIMEOUT_MS = hours(1)

/**
 * Runs each service as an instance of its own on one simulated backend in memory: with simulated time,
 * seeded latencies and no threads. For tests of whole conversations through crashes and network
 * partitions. Tools must not wait for real time. All data that rules get is frozen, so that a rule
 * that changes it in place throws.
 */
export async function simulate<const S extends readonly Service<string, unknown>[]>(
  services: S,
  options: SimulateOptions & WithTools<ToolsFor<S>>,
): Promise<Simulation> {
  assertSinglePackageCopy(packageValuesOfServices(services))
  assertKnownOptions('simulate', SIMULATE_OPTIONS, options)
  const { seed, latencyMsMax = LATENCY_MS_MAX, timeoutMs = TIMEOUT_MS, tools, engine } = options
  const random = seededRandom(seed)
  const clock = createManualClock()
  const backend = memory({ clock, latencyMs: () => random() * latencyMsMax })
  const faults: RuleError[] = []
  // Crashes and isolation cause backend errors on purpose; rejected bodies are in the log.
  const onRuleError = (fault: RuleError) => void faults.push(fault)
  const hooks = { onRuleError, onBackendError: () => undefined, onEdgeRejected: () => undefined }
  const startOptions = { random, tools, engine: { ...engine, threadsMax: 0 }, ...hooks }
  const { launch, named, ownerOf, all } = instancesOf(services, backend, clock, startOptions)
  // A view of its own, so that isolated services are included, too.
  const plan = createPlan(services, [])
  const outside = { plan, catalog: createCatalog(plan), backend, clock, delays: clock }

  /** Looks up the app on each call, since a crash replaces it. */
  const operation: Simulation['operation'] = (command, id) => {
    const known = () => ownerOf(command.contract).app.operation(command, id)
    return {
      id,
      state: () => known().state(),
      accepted: (waiting) => known().accepted(waiting),
      settled: (waiting) => known().settled(waiting),
      projected: (waiting) => known().projected(waiting),
    }
  }

  await clock.until(backend.log.open())
  await clock.until(backend.store.open())
  for (const { name } of services) await clock.until(launch(name))

  return {
    async send(command, sendOptions) {
      const { contract, name } = command
      const sent = await clock.until(ownerOf(contract).app.send(command, sendOptions))
      const type = plan.contracts.get(contract)?.byName.get(name) as CommandType
      return { ...operation(type, sent.id), isDuplicate: sent.isDuplicate } as never
    },
    operation,
    ask: (query) => clock.until(ownerOf(query.contract).app.ask(query)),
    advance: (byMs) => clock.advance(byMs),
    deadLetters: (name) => named(name).app.deadLetters,
    pause: (name) => clock.until(named(name).app.pause(name)),
    resume: (name) => clock.until(named(name).app.resume(name)),
    rebuild: (name) => clock.until(named(serviceIn(name)).app.rebuild(name), timeoutMs),
    isolate: (name) => named(name).link.isolate(),
    heal: (name) => named(name).link.heal(),
    async crash(name) {
      named(name).link.crash()
      await clock.until(launch(name))
    },
    settled: () => clock.until(settle(outside, clock, timeoutMs)),
    until: (promise) => clock.until(promise, timeoutMs) as never,
    messages: () => clock.until(allMessages(backend.log, [...outside.plan.topics.keys()])),
    status: () => clock.until(readConsumerStatus(outside)),
    faults: () => faults,
    now: () => clock.now(),
    async [Symbol.asyncDispose]() {
      for (const { link: each } of all()) each.heal()
      await clock.until(Promise.all([...all()].map(({ app }) => app.stop())))
    },
  }
}

/** The service in `SERVICE/RULE`. */
const serviceIn = (name: string): string => name.split('/')[0] ?? ''

/** Waits until everything is settled, as long as messages are being handled. */
async function settle(outside: OutsideView, clock: Clock, timeoutMs: number): Promise<void> {
  let before = -1
  let movedAt = clock.elapsed()
  let pollMs = POLL_MS
  while (!(await isSettled(outside))) {
    const status = await readConsumerStatus(outside)
    const handled = status.reduce((sum, { completed }) => sum + completed, 0)
    pollMs = handled === before ? Math.min(2 * pollMs, POLL_MS_MAX) : POLL_MS
    if (handled !== before) movedAt = clock.elapsed()
    before = handled
    if (clock.elapsed() - movedAt > timeoutMs) throw new Error(await unsettled(outside, timeoutMs))
    await sleep(clock, pollMs)
  }
}

async function unsettled(outside: OutsideView, timeoutMs: number): Promise<string> {
  const what = (await readUnsettled(outside)).map(unsettledText)
  return [`nothing was handled for ${timeoutMs} ms of simulated time, and`, ...what].join('\n  - ')
}

interface Instance {
  readonly app: App
  readonly link: BackendLink
}

/** Runs each service as an app of its own with its own link to the shared backend. */
function instancesOf(
  services: readonly Service[],
  backend: Backend,
  clock: Clock,
  options: object,
) {
  const instances = new Map<string, Instance>()
  const named = (name: string): Instance => {
    const found = instances.get(name)
    if (!found)
      throw new Error(`no service is named ${name} (known: ${[...instances.keys()].join(', ')})`)
    return found
  }
  return {
    named,
    all: () => instances.values(),
    ownerOf(contract: string): Instance {
      const owner = services.find(({ owns }) =>
        owns.some((each: AnyContract) => definitionOf(each).name === contract),
      )
      if (!owner) throw new Error(`no service here owns the contract ${contract}`)
      return named(owner.name)
    },
    async launch(name: string): Promise<void> {
      const service = services.find((each) => each.name === name) as Service
      const elsewhere = services.filter((other) => other !== service).flatMap(({ owns }) => owns)
      const ofService = createBackendLink(backend, clock)
      const startOptions = { ...options, remote: elsewhere, clock: ofService.clock } as StartOptions
      const app = await startApp([service], ofService.backend, startOptions)
      instances.set(name, { app, link: ofService })
    },
  }
}

async function allMessages(
  log: EventLog,
  topics: readonly string[],
): Promise<readonly SimulatedMessage[]> {
  const ends = await log.ends(topics)
  const from: Position[] = ends.map(({ topic, partition, first }) => {
    return { topic, partition, next: first }
  })
  const everything = { records: Number.MAX_SAFE_INTEGER, bytes: Number.MAX_SAFE_INTEGER }
  const slices = await log.read(from, everything, { ms: 0 })
  const records = slices.flatMap((slice) => slice.records)
  return records.toSorted((a, b) => (a.position ?? 0) - (b.position ?? 0)).map(simulatedMessage)
}

function simulatedMessage(record: LogRecord): SimulatedMessage {
  const { topic, partition, offset } = record
  const data: unknown = record.data === null ? null : JSON.parse(record.data)
  return { ...decodeEnvelope(record), topic, partition, offset, data }
}
