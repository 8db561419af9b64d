// A service with one consumer that fails on request, in simulated time, on a store that outlives its
// instances; records what was handled, and every change of a status.
import assert from 'node:assert/strict'
import type { App, DeadLetterFilter, EngineOptions, FailureOptions } from 'throughline'
import { contract, event, handler, projection, service, start, tool } from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import type { RuleError } from '../../../src/engine/failure/rule-error.ts'
import type { CommitResult, Unit } from '../../../src/ports/event-store.ts'
import type { Interceptor } from '../../../src/ports/intercept.ts'
import type { EventStatus, StatusChange } from '../../../src/ports/status.ts'
import { isStatusChange } from '../../../src/ports/status.ts'
import { createSimulation, findImbalances } from './simulation.ts'

export const Data = z.object({ k: z.string(), n: z.int() })
export type Data = z.infer<typeof Data>
export const Work = contract('work', { key: 'k', partitions: 2 }, { Done: event(Data) })

export type ConsumerKind = 'handler' | 'queue' | 'projection'
/** The name of the consumer. */
export const CONSUMER = 'svc/rule'
/** Who asks for a change of dead letters in tests. */
export const OPERATOR = { by: 'ann', reason: 'the bank is back' } as const

export interface FailingConsumerOptions {
  readonly kind?: ConsumerKind
  readonly seed?: number
  readonly failure?: FailureOptions
  readonly engine?: Partial<EngineOptions>
}

export interface LaunchOptions {
  /** Another source text of the same rule: a deploy. */
  readonly isChanged?: boolean
  readonly failure?: FailureOptions
  readonly around?: Interceptor
}

const ENGINE = { retryDelayMs: 50, retryDelayMsMax: 400, leaseMs: 3_000, idleMs: 200 }

/** The effects of the rule, which fails for the messages that are named as `KEY NUMBER`. */
function createEffects() {
  const failing = new Map<string, () => unknown>()
  const handled: string[] = []
  const attempts = new Map<string, number>()
  return {
    failing,
    handled,
    attempts,
    run({ k, n }: Data): void {
      const name = `${k} ${n}`
      attempts.set(name, (attempts.get(name) ?? 0) + 1)
      const fault = failing.get(name)
      if (fault) throw fault()
      handled.push(name)
    },
  }
}

function createRule(
  kind: ConsumerKind,
  options: FailureOptions,
  run: (data: Data) => void,
  isChanged: boolean,
) {
  if (kind === 'projection') {
    const fold = (data: Data, numbers: readonly number[] | undefined): readonly number[] => {
      run(data)
      return [...(numbers ?? []), data.n]
    }
    const changed = (data: Data, numbers: readonly number[] = []): readonly number[] => {
      run(data)
      return [...numbers, data.n]
    }
    return projection('rule', { by: 'k', row: tool<readonly number[]>(), ...options }, (on) => [
      on(Work.Done, isChanged ? changed : fold),
    ])
  }
  const consume = kind === 'queue' ? 'queue' : 'stream'
  const handle = (data: Data): void => run(data)
  const changed = (data: Data): void => {
    run(data)
  }
  return handler('rule', { consume, ...options }, (on) => [
    on(Work.Done, isChanged ? changed : handle),
  ])
}

/** The changes of statuses that were committed, by event id. */
function createStatusLog() {
  const changes: StatusChange[] = []
  const record: Interceptor = async (method, call, args) => {
    const answer = await call()
    if (method === 'store.commit' && (answer as CommitResult).status === 'done')
      changes.push(...(args[0] as Unit).statuses)
    return answer
  }
  return {
    record,
    changes,
    /** The statuses of an event, one after another; each step is a legal one. */
    path(id: string): readonly string[] {
      const own = changes.filter(({ eventId }) => eventId === id)
      let last = 'UNPROCESSED'
      for (const { from, status, resolution } of own) {
        assert.equal(from, last, `${id} goes on from where it was`)
        assert.ok(isStatusChange(from, status), `${id}: ${from} to ${status}`)
        // What is settled may begin again, where its handler is rewound.
        last = status === 'COMPLETED' || resolution !== null ? 'UNPROCESSED' : status
      }
      return own.map(({ status }) => status)
    },
  }
}

/** A running instance, which every method of the world uses. */
interface Running {
  readonly app: App
  crash(): void
}

export function createFailingConsumer(options: FailingConsumerOptions = {}) {
  const { kind = 'handler', seed = 1, failure = {}, engine = {} } = options
  const stage = createSimulation(memory, seed)
  const { clock, backend } = stage
  const effects = createEffects()
  const statusLog = createStatusLog()
  const errors: RuleError[] = []
  let running: Running | undefined
  const app = (): App => (running as Running).app
  const until = clock.until

  return {
    ...effects,
    clock,
    until,
    store: backend.store,
    app,
    errors,
    statusPath: statusLog.path,
    statusChanges: statusLog.changes,
    async launch(launched: LaunchOptions = {}): Promise<App> {
      const around = launched.around ?? ((_, call) => call())
      const instance = stage.instance((method, call, args) =>
        around(method, () => statusLog.record(method, call, args), args),
      )
      const ruleOptions = { ...failure, ...launched.failure }
      const rule = createRule(kind, ruleOptions, effects.run, launched.isChanged ?? false)
      const svc = service('svc', { owns: [Work], runs: [rule] })
      const starting = start([svc], instance.backend, {
        clock: instance.clock,
        random: instance.random,
        engine: { ...ENGINE, ...engine },
        onRuleError: (error) => void errors.push(error),
        onBackendError: () => undefined,
      })
      running = { app: await until(starting), crash: instance.crash }
      return running.app
    },
    stop: () => until(app().stop()),
    crash: () => running?.crash(),
    /** Has the rule fail for a message from now on. */
    fail(name: string, error: () => unknown = () => new Error(`no ${name}`)) {
      effects.failing.set(name, error)
    },
    heal(...names: readonly string[]) {
      for (const name of names.length > 0 ? names : effects.failing.keys())
        effects.failing.delete(name)
    },
    /** Appends events that are named as `KEY NUMBER`; that is also their id. */
    async append(...names: readonly string[]): Promise<void> {
      const messages = names.map((name) => {
        const [k = '', n = ''] = name.split(' ')
        return Work.Done({ k, n: Number(n) })
      })
      await until(app().append(messages, { ids: names }))
    },
    advance: (ms: number) => clock.advance(ms),
    /** The counters of the consumer, which balance. */
    async counts() {
      const status = await until(app().status())
      assert.deepEqual(findImbalances(status), [])
      const own = status.find(({ consumer }) => consumer === CONSUMER)
      assert.ok(own)
      return own
    },
    /** The counters as stored, in one read, also while no instance runs or calls fail. */
    async storedCounts() {
      const rows = await until(backend.store.progress([CONSUMER]))
      const sum = (of: (row: (typeof rows)[number]) => number): number =>
        rows.reduce((total, row) => total + of(row), 0)
      return {
        consumer: CONSUMER,
        accepted: sum(({ accepted }) => accepted),
        completed: sum(({ completed }) => completed),
        dead: sum(({ dead }) => dead),
        discarded: sum(({ discarded }) => discarded),
        expired: sum(({ expired }) => expired),
        pending: sum(({ pending }) => pending),
        lag: 0,
      }
    },
    /** How many messages are held, dead letters included. */
    async heldCount(): Promise<number> {
      return (await until(backend.store.scan({ table: 'svc.held', limit: 10_000 }))).length
    },
    letters: (filter: DeadLetterFilter = {}) =>
      until(app().deadLetters.list(filter)).then(({ items }) => items),
    redrive: (filter: DeadLetterFilter & { readonly perSecond?: number } = {}) =>
      until(app().deadLetters.redrive({ ...filter, ...OPERATOR })),
    discard: (filter: DeadLetterFilter = {}) =>
      until(app().deadLetters.discard({ ...filter, ...OPERATOR })),
    /** Has the handler read everything again. */
    rewind: () => until(app().rewind(CONSUMER, 'earliest')),
    async statuses(): Promise<ReadonlyMap<string, EventStatus>> {
      const rows = await until(backend.store.statuses({ consumer: CONSUMER, limit: 10_000 }))
      return new Map(rows.map((row) => [row.eventId, row]))
    },
  }
}

export type FailingConsumer = ReturnType<typeof createFailingConsumer>
