import type { Cancel, Clock } from '../base/clock.ts'
import { neverBack } from '../base/clock.ts'
import type { Backend } from '../ports/store.ts'
import { through } from '../ports/through.ts'

/** One service instance's way to the backend, which can be cut and can break for good. */
export interface Link {
  readonly backend: Backend
  readonly clock: Clock
  /** Calls, and answers under way, wait until `heal`. */
  isolate(): void
  heal(): void
  /** The instance is gone: no call and no timer of it comes to anything any more. */
  crash(): void
}

export function link(shared: Backend, clock: Clock): Link {
  let isDead = false
  let healing: { promise: Promise<void>; resolve: () => void } | undefined

  /** Passes once the link is whole; never, once the instance is gone. */
  const pass = async (): Promise<void> => {
    while (healing) await healing.promise
    if (isDead) await new Promise<never>(() => undefined)
  }
  const whole = through(shared, async (_, run) => {
    await pass()
    const answer = await run()
    await pass()
    return answer
  })
  return {
    backend: { log: { ...whole.log, ...kept }, store: { ...whole.store, ...kept } },
    clock: {
      now: neverBack(clock.wall),
      wall: clock.wall,
      elapsed: clock.elapsed,
      after: (delayMs, run): Cancel => clock.after(delayMs, () => void (isDead || run())),
      soon: (run) => clock.soon(() => void (isDead || run())),
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

/** The shared backend is opened and closed by the world, not by one of its services. */
const kept = {
  open: async (): Promise<void> => undefined,
  close: async (): Promise<void> => undefined,
}
