import type { Cancel, Clock } from '../base/clock.ts'
import type { EventLog } from '../ports/log.ts'
import type { Backend, EventStore } from '../ports/store.ts'

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
  const over = <A extends readonly unknown[], R>(call: (...args: A) => Promise<R>) => {
    return async (...args: A): Promise<R> => {
      await pass()
      const answer = await call(...args)
      await pass()
      return answer
    }
  }
  const { log, store } = shared
  return {
    backend: { log: logOver(log, over), store: storeOver(store, over) },
    clock: {
      now: clock.now,
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

type Over = <A extends readonly unknown[], R>(
  call: (...args: A) => Promise<R>,
) => (...args: A) => Promise<R>

/** The shared backend is opened and closed by the world, not by one of its services. */
const nothing = async (): Promise<void> => undefined

function logOver(log: EventLog, over: Over): EventLog {
  return {
    can: log.can,
    open: nothing,
    close: nothing,
    declare: over((topics) => log.declare(topics)),
    append: over((events, options) => log.append(events, options)),
    read: over((from, max, wait) => log.read(from, max, wait)),
    ends: over((topics) => log.ends(topics)),
    trim: over((topic, partition, before) => log.trim(topic, partition, before)),
    find: over(async (topic, id) => log.find?.(topic, id)),
    health: over(() => log.health()),
  }
}

function storeOver(store: EventStore, over: Over): EventStore {
  return {
    can: store.can,
    open: nothing,
    close: nothing,
    declare: over((tables) => store.declare(tables)),
    beat: over((...beat) => store.beat(...beat)),
    commit: over((unit) => store.commit(unit)),
    get: over((keys) => store.get(keys)),
    scan: over((query) => store.scan(query)),
    stream: over((row, fromVersion, limit) => store.stream(row, fromVersion, limit)),
    progress: over((consumers) => store.progress(consumers)),
    health: over(() => store.health()),
  }
}
