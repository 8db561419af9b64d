import { memory } from '../backends/memory/index.ts'
import type { Clock } from '../base/clock.ts'
import { pause } from '../base/clock.ts'
import { mustBeOneCopy } from '../base/copy.ts'
import { hours } from '../base/duration.ts'
import { seededRandom } from '../base/random.ts'
import type { AnyContract } from '../contract/contract.ts'
import { factsOf } from '../contract/contract.ts'
import { decodeEnvelope } from '../contract/envelope.ts'
import type { Envelope } from '../contract/envelope.ts'
import type { CodeOf, CommandMessage, CommandType, QueryMessage } from '../contract/message.ts'
import { planOf } from '../engine/plan.ts'
import type { Operation } from '../engine/operations.ts'
import type { EngineOptions } from '../engine/options.ts'
import type { SendOptions } from '../engine/sender.ts'
import { catalogOf } from '../engine/catalog.ts'
import type { ConsumerStatus } from '../engine/status.ts'
import type { Rebuilt } from '../engine/rebuild.ts'
import { statusOf } from '../engine/status.ts'
import { isSettled, unsettledOf, unsettledText } from '../engine/unsettled.ts'
import type { Faulted } from '../engine/faulted.ts'
import type { EventLog, LogRecord, Position } from '../ports/log.ts'
import type { Backend } from '../ports/store.ts'
import { partsOfServices } from '../rules/parts.ts'
import type { Service, ToolsFor } from '../rules/service.ts'
import type { App, SentOperation, StartOptions, WithTools } from '../runtime/start.ts'
import { launch } from '../runtime/start.ts'
import { manualClock } from './clock.ts'
import type { Link } from './link.ts'
import { link } from './link.ts'

/** The system as seen from outside, also while services are isolated. */
type Outside = Parameters<typeof isSettled>[0]

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
  readonly patienceMs?: number
}

/** A message of the simulated log. */
export interface Seen extends Envelope {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly data: unknown
}

/** A simulated system of services in one process and in simulated time. */
export interface World {
  /** Sends a command to the service that owns it; resolves once it is stored. */
  send<R extends string = string>(
    command: CommandMessage<string, string, unknown, R>,
    options?: SendOptions,
  ): Promise<SentOperation<R>>
  /** The operation of a command that was sent, also after a crash of its owner. */
  operation<T extends CommandType>(command: T, id: string): Operation<CodeOf<T>>
  ask<A>(query: QueryMessage<string, string, unknown, A>): Promise<A>
  /** Advances time and runs everything that becomes due. */
  advance(byMs: number): Promise<void>
  /** Pauses a service until `resume`, as an operator does. */
  pause(service: string): Promise<void>
  resume(service: string): Promise<void>
  /** Rebuilds a projection, named as `SERVICE/PROJECTION`. */
  rebuild(projection: string): Promise<Rebuilt>
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
  messages(): Promise<readonly Seen[]>
  status(): Promise<readonly ConsumerStatus[]>
  /** Errors that rules have thrown so far. */
  faults(): readonly Faulted[]
  now(): number
  [Symbol.asyncDispose](): Promise<void>
}

const LATENCY_MS_MAX = 4
/** The interval at which `settled` checks; it doubles while nothing is handled. */
const LOOK_MS = 50
const LOOK_MS_MAX = 10_000
const PATIENCE_MS = hours(1)

/**
 * Runs each service as an instance of its own on one simulated backend in memory: with simulated time,
 * seeded latencies and no threads. For tests of whole conversations through crashes and network
 * partitions. Tools must not wait for real time. All data that rules get is frozen, so that a rule
 * that changes it in place throws.
 */
export async function simulate<const S extends readonly Service<string, unknown>[]>(
  services: S,
  options: SimulateOptions & WithTools<ToolsFor<S>>,
): Promise<World> {
  mustBeOneCopy(partsOfServices(services))
  const { seed, latencyMsMax = LATENCY_MS_MAX, patienceMs = PATIENCE_MS, tools, engine } = options
  const random = seededRandom(seed)
  const clock = manualClock()
  const backend = memory({ clock, latencyMs: () => random() * latencyMsMax })
  const faults: Faulted[] = []
  const startOptions = {
    random,
    tools,
    engine: { ...engine, threadsMax: 0 },
    faulted: (fault: Faulted) => void faults.push(fault),
    // Crashes and isolation cause backend errors on purpose.
    broke: () => undefined,
  }
  const { launch, named, ownerOf, all } = instancesOf(services, backend, clock, startOptions)
  // A view of its own, so that isolated services are included, too.
  const plan = planOf(services, [])
  const outside = { plan, catalog: catalogOf(plan), backend, clock, delays: clock }

  /** Looks up the app on each call, since a crash replaces it. */
  const operation: World['operation'] = (command, id) => {
    const known = () => ownerOf(command.contract).app.operation(command, id)
    return {
      id,
      look: () => known().look(),
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
      return { ...operation(type, sent.id), isRepeat: sent.isRepeat } as never
    },
    operation,
    ask: (query) => clock.until(ownerOf(query.contract).app.ask(query)),
    advance: (byMs) => clock.advance(byMs),
    pause: (name) => clock.until(named(name).app.pause(name)),
    resume: (name) => clock.until(named(name).app.resume(name)),
    rebuild: (name) => clock.until(named(serviceIn(name)).app.rebuild(name), patienceMs),
    isolate: (name) => named(name).link.isolate(),
    heal: (name) => named(name).link.heal(),
    async crash(name) {
      named(name).link.crash()
      await clock.until(launch(name))
    },
    settled: () => clock.until(settle(outside, clock, patienceMs)),
    until: (promise) => clock.until(promise, patienceMs) as never,
    messages: () => clock.until(allOf(backend.log, [...outside.plan.topics.keys()])),
    status: () => clock.until(statusOf(outside)),
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
async function settle(outside: Outside, clock: Clock, patienceMs: number): Promise<void> {
  let before = -1
  let movedAt = clock.elapsed()
  let lookMs = LOOK_MS
  while (!(await isSettled(outside))) {
    const status = await statusOf(outside)
    const handled = status.reduce((sum, { completed }) => sum + completed, 0)
    lookMs = handled === before ? Math.min(2 * lookMs, LOOK_MS_MAX) : LOOK_MS
    if (handled !== before) movedAt = clock.elapsed()
    before = handled
    if (clock.elapsed() - movedAt > patienceMs)
      throw new Error(await unsettled(outside, patienceMs))
    await pause(clock, lookMs)
  }
}

async function unsettled(outside: Outside, patienceMs: number): Promise<string> {
  const what = (await unsettledOf(outside)).map(unsettledText)
  return [`nothing was handled for ${patienceMs} ms of simulated time, and`, ...what].join('\n  - ')
}

interface Instance {
  readonly app: App
  readonly link: Link
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
        owns.some((each: AnyContract) => factsOf(each).name === contract),
      )
      if (!owner) throw new Error(`no service here owns the contract ${contract}`)
      return named(owner.name)
    },
    async launch(name: string): Promise<void> {
      const service = services.find((each) => each.name === name) as Service
      const elsewhere = services.filter((other) => other !== service).flatMap(({ owns }) => owns)
      const ofService = link(backend, clock)
      const startOptions = { ...options, elsewhere, clock: ofService.clock } as StartOptions
      const app = await launch([service], ofService.backend, startOptions)
      instances.set(name, { app, link: ofService })
    },
  }
}

async function allOf(log: EventLog, topics: readonly string[]): Promise<readonly Seen[]> {
  const ends = await log.ends(topics)
  const from: Position[] = ends.map(({ topic, partition, first }) => {
    return { topic, partition, next: first }
  })
  const everything = { records: Number.MAX_SAFE_INTEGER, bytes: Number.MAX_SAFE_INTEGER }
  const slices = await log.read(from, everything, { ms: 0 })
  const records = slices.flatMap((slice) => slice.records)
  return records.toSorted((a, b) => (a.position ?? 0) - (b.position ?? 0)).map(seen)
}

function seen(record: LogRecord): Seen {
  const { topic, partition, offset } = record
  const data: unknown = record.data === null ? null : JSON.parse(record.data)
  return { ...decodeEnvelope(record), topic, partition, offset, data }
}
