/** Cancels a scheduled call; has no effect once it has run. */
export type Cancel = () => void

/**
 * Time and scheduling, passed in everywhere, so that a simulation can replay a whole system from a
 * seed. Only this module reads the time of the machine.
 */
export interface Clock {
  /** Wall-clock time in milliseconds since 1970; never goes back. For timestamps and order, not for delays. */
  now(): number
  /** The wall clock as the machine reports it: it may step forward or back. */
  wall(): number
  /** Monotonic milliseconds from an arbitrary start; every delay is measured by them. */
  elapsed(): number
  /** Runs once, not before `delayMs` have passed. */
  after(delayMs: number, run: () => void): Cancel
  /** Runs after all calls that are already due, so that the work of one event-loop turn can be batched. */
  defer(run: () => void): void
}

/** Longest delay that `setTimeout` accepts; longer ones are chained. */
const TIMER_MS_MAX = 2 ** 31 - 1

/** The clock of the machine. */
export function systemClock(): Clock {
  const wall = (): number => Date.now()
  return {
    now: monotonic(wall),
    wall,
    elapsed: () => performance.now(),
    after: setLongTimeout,
    defer: (run) => void setImmediate(run),
  }
}

/** A clock that keeps the latest time it has seen while the clock it reads is set back. */
export function monotonic(read: () => number): () => number {
  let latest = 0
  return () => {
    latest = Math.max(latest, read())
    return latest
  }
}

function setLongTimeout(delayMs: number, run: () => void): Cancel {
  let cancel: Cancel = () => undefined
  if (delayMs > TIMER_MS_MAX) {
    const rest = delayMs - TIMER_MS_MAX
    const handle = setTimeout(() => (cancel = setLongTimeout(rest, run)), TIMER_MS_MAX)
    cancel = () => clearTimeout(handle)
  } else {
    const handle = setTimeout(run, Math.max(0, delayMs))
    cancel = () => clearTimeout(handle)
  }
  return () => cancel()
}

/** Resolves after `delayMs`, or as soon as the signal aborts. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const done = (): void => {
      cancel()
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const cancel = clock.after(delayMs, done)
    signal?.addEventListener('abort', done)
  })
}

/** Lets other pending work run; call it between the steps of long synchronous work. */
export function yieldToEventLoop(clock: Clock): Promise<void> {
  return new Promise((resolve) => clock.defer(resolve))
}

/** The value of a promise, or `undefined` once `deadlineMs` have passed; the promise is not cancelled. */
export function withTimeout<T>(
  clock: Clock,
  deadlineMs: number,
  promise: Promise<T>,
): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(deadlineMs, () => resolve(undefined))
    promise.then(
      (value) => {
        cancel()
        resolve(value)
      },
      (cause: unknown) => {
        cancel()
        reject(cause)
      },
    )
  })
}
