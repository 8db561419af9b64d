// A simulation for tests: a clock that is moved by hand, one backend that several instances share,
// and injected backend faults. Not part of the package.
import type { Clock } from '../../../src/base/time/clock.ts'
import { monotonic, sleep } from '../../../src/base/time/clock.ts'
import type { Random } from '../../../src/base/random.ts'
import { seededRandom } from '../../../src/base/random.ts'
import type { Schema } from '../../../src/contract/message.ts'
import type { LogEvent } from '../../../src/ports/event-log.ts'
import type { Backend, CommitResult } from '../../../src/ports/event-store.ts'
import type { Interceptor } from '../../../src/ports/intercept.ts'
import { intercept } from '../../../src/ports/intercept.ts'
import type { ManualClock } from '../../../src/testing/manual-clock.ts'
import { createManualClock } from '../../../src/testing/manual-clock.ts'

/** A schema that accepts any value, for tests that are not about validation. */
export function anySchema<D>(): Schema<D> {
  const validate = (value: unknown): { value: D } => ({ value: value as D })
  return { '~standard': { version: 1, vendor: 'stage', validate } } as Schema<D>
}

/** Simulated time after which a test gives up waiting. */
const PATIENCE_MS = 120_000

/** A clock that advances only while something is awaited, and never too far. */
export function testClock(): ManualClock {
  const clock = createManualClock()
  return {
    ...clock,
    until: (promise, patienceMs = PATIENCE_MS) => clock.until(promise, patienceMs),
  }
}

/** The backend is shared: no instance opens or closes it. */
const kept = {
  open: async (): Promise<void> => undefined,
  close: async (): Promise<void> => undefined,
}

/** A shared backend behind an interceptor. */
export function sharedBackend(backend: Backend, around: Interceptor): Backend {
  const { log, store } = intercept(backend, around)
  return { log: { ...log, ...kept }, store: { ...store, ...kept } }
}

/** What an instance is started with. */
export interface Instance {
  readonly backend: Backend
  readonly clock: Clock
  readonly random: Random
}

/** One backend in simulated time, and instances on it that can crash. */
export interface Simulation {
  readonly clock: ManualClock
  readonly backend: Backend
  /**
   * Creates an instance with its own connection to the backend; after `crash`, none of its calls
   * take effect.
   */
  instance(around?: Interceptor): Instance & { crash(): void }
}

const LATENCY_MS_MAX = 4

/** The same seed gives the same run. */
export function createSimulation(
  memory: (options: { clock: Clock; latencyMs: () => number }) => Backend,
  seed: number,
): Simulation {
  const clock = testClock()
  const random = seededRandom(seed)
  const backend = memory({ clock, latencyMs: () => random() * LATENCY_MS_MAX })
  return {
    clock,
    backend,
    instance(around = (_, call) => call()) {
      let isDead = false
      const alive = async (): Promise<void> => {
        if (isDead) await new Promise<never>(() => undefined)
      }
      const unless = (run: () => void) => (): void => void (isDead || run())
      return {
        backend: sharedBackend(backend, async (method, call, args) => {
          await alive()
          const answer = await around(method, call, args)
          await alive()
          return answer
        }),
        clock: {
          now: monotonic(clock.wall),
          wall: clock.wall,
          elapsed: clock.elapsed,
          after: (delayMs, run) => clock.after(delayMs, unless(run)),
          defer: (run) => clock.defer(unless(run)),
        },
        random,
        crash() {
          isDead = true
        },
      }
    },
  }
}

/** Calls until no injected fault fails it. */
export async function untilDone<T>({ clock }: Simulation, run: () => Promise<T>): Promise<T> {
  for (;;)
    try {
      return await clock.until(run())
    } catch (error) {
      if (error instanceof TypeError) throw error
      await clock.advance(50)
    }
}

/** Answers that a store may give at any time and that leave the outcome open. */
export function randomFaults(random: Random, rate: number): Interceptor {
  const unknown: CommitResult = { status: 'unknown', cause: 'the answer was lost' }
  return async (method, call, args) => {
    if (random() >= rate) return call()
    const chance = random()
    if (method === 'log.append') {
      if (chance < 0.5) await call()
      return (args[0] as readonly LogEvent[]).map(() => unknown)
    }
    if (method !== 'store.commit') {
      if (method === 'log.read' || method === 'store.beat') return call()
      throw new Error(`${method} broke`)
    }
    if (chance < 0.2) throw new Error('the connection broke')
    if (chance < 0.4) return { status: 'conflict', rows: [] } satisfies CommitResult
    if (chance < 0.5) return { status: 'fenced', resources: [] } satisfies CommitResult
    if (chance < 0.8) await call()
    return unknown
  }
}

/** The part of a consumer's `status` that is needed here. */
interface Counted {
  readonly consumer: string
  readonly accepted: number
  readonly completed: number
  readonly pending: number
  readonly dead: number
  readonly discarded: number
  readonly expired: number
  readonly lag: number
}

/** Consumers whose counters do not balance, as sentences. */
export function findImbalances(status: readonly Counted[]): readonly string[] {
  return status
    .filter(({ accepted, completed, dead, discarded, expired, pending }) => {
      return accepted !== completed + dead + discarded + expired + pending || pending < 0
    })
    .map(({ consumer, accepted, completed, dead, discarded, expired, pending }) => {
      const parts = [completed, dead, discarded, expired, pending].join(' + ')
      return `${consumer}: ${accepted} is not ${parts}`
    })
}

/**
 * Waits until everything was read and nothing is held, and checks the counters meanwhile.
 *
 * @throws Error if accepted = completed + dead + discarded + expired + pending does not hold
 */
export async function caughtUp(
  clock: Clock,
  app: { status(): Promise<readonly Counted[]> },
  lookMs = 20,
): Promise<readonly Counted[]> {
  for (;;) {
    const status = await app.status()
    const wrong = findImbalances(status)
    if (wrong.length > 0) throw new Error(wrong.join('\n'))
    if (status.every(({ lag, pending }) => lag === 0 && pending === 0)) return status
    await sleep(clock, lookMs)
  }
}
