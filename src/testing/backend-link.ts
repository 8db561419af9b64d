import type { Cancel, Clock } from '../base/time/clock.ts'
import { monotonic } from '../base/time/clock.ts'
import type { Backend } from '../ports/event-store.ts'
import { intercept } from '../ports/intercept.ts'

/** The connection of one service instance to the backend; it can be interrupted or crash. */
export interface BackendLink {
  readonly backend: Backend
  readonly clock: Clock
  /** Calls and pending answers wait until `heal`. */
  isolate(): void
  heal(): void
  /** Simulates a crash of the instance: none of its calls and timers has an effect any more. */
  crash(): void
}

export function createBackendLink(shared: Backend, clock: Clock): BackendLink {
  let isDead = false
  let healing: { promise: Promise<void>; resolve: () => void } | undefined

  /** Resolves while the link is not isolated; never after a crash. */
  const pass = async (): Promise<void> => {
    while (healing) await healing.promise
    if (isDead) await new Promise<never>(() => undefined)
  }
  const intercepted = intercept(shared, async (_, run) => {
    await pass()
    const answer = await run()
    await pass()
    return answer
  })
  return {
    backend: {
      log: { ...intercepted.log, ...sharedLifecycle },
      store: { ...intercepted.store, ...sharedLifecycle },
    },
    clock: {
      now: monotonic(clock.wall),
      wall: clock.wall,
      elapsed: clock.elapsed,
      after: (delayMs, run): Cancel => clock.after(delayMs, () => void (isDead || run())),
      defer: (run) => clock.defer(() => void (isDead || run())),
    },
    isolate() {
      const { promise, resolve } = Promise.withResolvers<void>()
      healing ??= { promise, resolve }
    },
    heal() {
      const { resolve } = healing ?? {}
      healing = undefined
      resolve?.()
    },
    crash() {
      isDead = true
    },
  }
}

/** The simulation opens and closes the shared backend, not its services. */
const sharedLifecycle = {
  open: async (): Promise<void> => undefined,
  close: async (): Promise<void> => undefined,
}
