/** Stops something that was scheduled; harmless when it already ran. */
export type Cancel = () => void

/**
 * Time and scheduling, passed in everywhere, so that a whole system can be replayed from a seed.
 * Nothing outside this room asks the machine for the time.
 */
export interface Clock {
  /** Wall-clock time in milliseconds since 1970; never goes back. To show and to order, not to wait for. */
  now(): number
  /** What the wall clock says at this moment: it may step either way. */
  wall(): number
  /** Milliseconds that pass evenly, from an arbitrary start; every delay is measured by them. */
  elapsed(): number
  /** Runs once, `delayMs` from now or later. */
  after(delayMs: number, run: () => void): Cancel
  /** Runs after everything that is already due, so that work of one turn can gather. */
  soon(run: () => void): void
}

/** Longest delay that one timer of the machine can hold; longer ones are chained. */
const TIMER_MS_MAX = 2 ** 31 - 1

/** The machine's clock. */
export function systemClock(): Clock {
  const wall = (): number => Date.now()
  return {
    now: neverBack(wall),
    wall,
    elapsed: () => performance.now(),
    after: timer,
    soon: (run) => void setImmediate(run),
  }
}

/** A clock that is held at the latest time seen where the one that it reads steps back. */
export function neverBack(read: () => number): () => number {
  let latest = 0
  return () => {
    latest = Math.max(latest, read())
    return latest
  }
}

function timer(delayMs: number, run: () => void): Cancel {
  let cancel: Cancel = () => undefined
  if (delayMs > TIMER_MS_MAX) {
    const rest = delayMs - TIMER_MS_MAX
    const handle = setTimeout(() => (cancel = timer(rest, run)), TIMER_MS_MAX)
    cancel = () => clearTimeout(handle)
  } else {
    const handle = setTimeout(run, Math.max(0, delayMs))
    cancel = () => clearTimeout(handle)
  }
  return () => cancel()
}

/** Resolves after `delayMs`, or at once when the signal aborts. */
export function pause(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
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

/** Lets everybody else have a turn: between the steps of long work, which would keep them waiting. */
export function breathe(clock: Clock): Promise<void> {
  return new Promise((resolve) => clock.soon(resolve))
}

/** The value of a promise, or `undefined` once `deadlineMs` has passed; the promise runs on. */
export function within<T>(
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
