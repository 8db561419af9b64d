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

/** The system as it is seen from outside, whatever service is cut off. */
type Outside = Parameters<typeof isSettled>[0]

export interface SimulateOptions {
  /** The same seed gives the same run: latencies, order of events, ids, retries. */
  readonly seed: number
  /** Longest time that a call to the backend takes, half there, half back. Default 4 ms. */
  readonly latencyMsMax?: number
  /** There are no threads: handlers that ask for one run like any other, in simulated time. */
  readonly engine?: Omit<Partial<EngineOptions>, 'threadsMax'>
  /**
   * Simulated time after which `settled` and `until` give up; for `settled`, without anything
   * having been handled. Default one hour. A longer timer is passed with `advance`.
   */
  readonly patienceMs?: number
}

/** A message in the simulated log, in the order of the log. */
export interface Seen extends Envelope {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly data: unknown
}

/** A whole system of services in one process, in simulated time. */
export interface World {
  /** Sends a command through its owner's door; resolves once it is stored. */
  send<R extends string = string>(
    command: CommandMessage<string, string, unknown, R>,
    options?: SendOptions,
  ): Promise<SentOperation<R>>
  /** The operation of a command that was sent, as its owner's newest instance knows it. */
  operation<T extends CommandType>(command: T, id: string): Operation<CodeOf<T>>
  ask<A>(query: QueryMessage<string, string, unknown, A>): Promise<A>
  /** Moves time on, through every due instant. */
  advance(byMs: number): Promise<void>
  /** Has a service take nothing more until `resume`, as an operator does. */
  pause(service: string): Promise<void>
  resume(service: string): Promise<void>
  /** Makes the rows of a projection, `SERVICE/PROJECTION`, anew. */
  rebuild(projection: string): Promise<Rebuilt>
  /** Cuts a service off from log and store: its calls wait, other services go on. */
  isolate(service: string): void
  heal(service: string): void
  /**
   * Kills a service as it stands and starts it again with an empty memory. Calls under way may or
   * may not have taken effect. Its work is taken up again once its lease has run out.
   */
  crash(service: string): Promise<void>
  /**
   * Moves time on until everything that was accepted is done.
   *
   * @throws Error that names who is behind and what is under way, when that comes to nothing
   */
  settled(): Promise<void>
  /** Moves time on until the promise has settled: for operations and the like. */
  until<P extends Promise<unknown>>(promise: P): Promise<Awaited<P>>
  /** Everything in the log. */
  messages(): Promise<readonly Seen[]>
  status(): Promise<readonly ConsumerStatus[]>
  /** Faults that rules have thrown so far. */
  faults(): readonly Faulted[]
  now(): number
  [Symbol.asyncDispose](): Promise<void>
}

const LATENCY_MS_MAX = 4
/** How often it is asked whether all is done: less and less while nothing moves. */
const LOOK_MS = 50
const LOOK_MS_MAX = 10_000
const PATIENCE_MS = hours(1)

/**
 * Runs services as instances of their own over one simulated backend: passed-in time, seeded
 * latencies, no threads, and no disk. For tests of whole conversations through crashes and
 * partitions; tools must answer without waiting for real time. All data that rules are handed is
 * frozen, so that a rule that changes it in place throws.
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
    // Backends break here on purpose.
    broke: () => undefined,
  }
  const { launch, named, ownerOf, all } = instancesOf(services, backend, clock, startOptions)
  // Looked at from outside, so that a service that is cut off can be seen, too.
  const plan = planOf(services, [])
  const outside = { plan, catalog: catalogOf(plan), backend, clock, delays: clock }

  /** Asked anew each time, since a crash takes the instance that knew it. */
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

/** The service of a rule that is named as `SERVICE/RULE`. */
const serviceIn = (name: string): string => name.split('/')[0] ?? ''

/** Waits until all is done, for as long as anything still moves. */
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

/** Each service runs as an app of its own, over its own link to the one backend. */
function instancesOf(
  services: readonly Service[],
  backend: Backend,
  clock: Clock,
  options: object,
) {
  const instances = new Map<string, Instance>()
  const named = (name: string): Instance => {
    const found = instances.get(name)
    if (!found) throw new Error(`no service is called ${name}: ${[...instances.keys()].join(', ')}`)
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
