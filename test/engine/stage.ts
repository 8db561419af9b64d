// A simulation for tests: a clock that is moved by hand, one backend that several instances share,
// and injected backend faults. Not part of the package.
import type { Clock } from '../../src/base/clock.ts'
import { neverBack, pause } from '../../src/base/clock.ts'
import type { Random } from '../../src/base/random.ts'
import { seededRandom } from '../../src/base/random.ts'
import type { Schema } from '../../src/contract/message.ts'
import type { LogEvent } from '../../src/ports/log.ts'
import type { Backend, UnitAnswer } from '../../src/ports/store.ts'
import type { Around } from '../../src/ports/through.ts'
import { through } from '../../src/ports/through.ts'
import type { ManualClock } from '../../src/testing/clock.ts'
import { manualClock } from '../../src/testing/clock.ts'

/** A schema that accepts any value, for tests that are not about validation. */
export function anyOf<D>(): Schema<D> {
  const validate = (value: unknown): { value: D } => ({ value: value as D })
  return { '~standard': { version: 1, vendor: 'stage', validate } } as Schema<D>
}

/** Simulated time after which a test gives up waiting. */
const PATIENCE_MS = 120_000

/** A clock that advances only while something is awaited, and never too far. */
export function handClock(): ManualClock {
  const clock = manualClock()
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
export function wayTo(backend: Backend, around: Around): Backend {
  const { log, store } = through(backend, around)
  return { log: { ...log, ...kept }, store: { ...store, ...kept } }
}

/** What an instance is started with. */
export interface Instance {
  readonly backend: Backend
  readonly clock: Clock
  readonly random: Random
}

/** One backend in simulated time, and instances on it that can crash. */
export interface Stage {
  readonly clock: ManualClock
  readonly backend: Backend
  /**
   * Creates an instance with its own connection to the backend; after `crash`, none of its calls
   * take effect.
   */
  instance(around?: Around): Instance & { crash(): void }
}

const LATENCY_MS_MAX = 4

/** The same seed gives the same run. */
export function stageOf(
  memory: (options: { clock: Clock; latencyMs: () => number }) => Backend,
  seed: number,
): Stage {
  const clock = handClock()
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
        backend: wayTo(backend, async (method, call, args) => {
          await alive()
          const answer = await around(method, call, args)
          await alive()
          return answer
        }),
        clock: {
          now: neverBack(clock.wall),
          wall: clock.wall,
          elapsed: clock.elapsed,
          after: (delayMs, run) => clock.after(delayMs, unless(run)),
          soon: (run) => clock.soon(unless(run)),
        },
        random,
        crash() {
          isDead = true
        },
      }
    },
  }
}

/** Answers that a store may give at any time and that leave the outcome open. */
export function misfortune(random: Random, rate: number): Around {
  const unknown: UnitAnswer = { is: 'unknown', cause: 'the answer was lost' }
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
    if (chance < 0.4) return { is: 'conflict', rows: [] } satisfies UnitAnswer
    if (chance < 0.5) return { is: 'fenced', resources: [] } satisfies UnitAnswer
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
  readonly expired: number
  readonly lag: number
}

/** Consumers whose counters do not balance, as sentences. */
export function unbalanced(status: readonly Counted[]): readonly string[] {
  return status
    .filter(({ accepted, completed, pending, expired }) => {
      return accepted !== completed + pending + expired || pending < 0
    })
    .map(
      ({ consumer, accepted, completed, pending, expired }) =>
        `${consumer}: ${accepted} is not ${completed} + ${pending} + ${expired}`,
    )
}

/**
 * Waits until everything was read and nothing is held, and checks the counters meanwhile.
 *
 * @throws Error if accepted = completed + pending + expired does not hold
 */
export async function caughtUp(
  clock: Clock,
  app: { status(): Promise<readonly Counted[]> },
  lookMs = 20,
): Promise<readonly Counted[]> {
  for (;;) {
    const status = await app.status()
    const wrong = unbalanced(status)
    if (wrong.length > 0) throw new Error(wrong.join('\n'))
    if (status.every(({ lag, pending }) => lag === 0 && pending === 0)) return status
    await pause(clock, lookMs)
  }
}
