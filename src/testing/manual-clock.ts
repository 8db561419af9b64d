import type { Clock } from '../base/time/clock.ts'
import { monotonic, systemClock } from '../base/time/clock.ts'

interface ScheduledCall {
  readonly at: number
  readonly order: number
  readonly run: () => void
  isCancelled: boolean
}

/** A clock that only moves when it is advanced, and then runs every call that becomes due. */
export interface ManualClock extends Clock {
  /** Advances by `byMs` and runs the calls that become due, in order. */
  advance(byMs: number): Promise<void>
  /** Sets the wall clock forward or back without elapsed time: no call becomes due. */
  stepWallClock(byMs: number): void
  /**
   * Advances from one due call to the next until the promise settles.
   *
   * @throws Error after `patienceMs` of simulated time, or if no call is due any more
   */
  until<T>(promise: Promise<T>, patienceMs?: number): Promise<T>
}

/** The initial time, fixed so that all runs have the same times: 2020-01-01. */
const BEGIN_MS = Date.UTC(2020, 0, 1)

export function createManualClock(beginMs: number = BEGIN_MS): ManualClock {
  const { defer: afterMicrotasks } = systemClock()
  let elapsed = 0
  let stepped = 0
  let count = 0
  const queue: ScheduledCall[] = []

  /** Runs all pending promise callbacks. */
  const runMicrotasks = (): Promise<void> => new Promise((resolve) => afterMicrotasks(resolve))

  function after(delayMs: number, run: () => void): () => void {
    const due: ScheduledCall = {
      at: elapsed + Math.max(0, delayMs),
      order: count,
      run,
      isCancelled: false,
    }
    count += 1
    insert(queue, due)
    return () => {
      due.isCancelled = true
    }
  }

  /** Runs the next due call, if there is one up to `untilMs`. */
  async function step(untilMs: number): Promise<boolean> {
    const due = queue[0]
    if (!due || due.at > untilMs) return false
    queue.shift()
    if (due.isCancelled) return true
    elapsed = Math.max(elapsed, due.at)
    due.run()
    await runMicrotasks()
    return true
  }

  const wall = (): number => Math.floor(beginMs + elapsed) + stepped

  return {
    now: monotonic(wall),
    wall,
    elapsed: () => elapsed,
    after,
    defer: (run) => void after(0, run),
    async advance(byMs) {
      const untilMs = elapsed + Math.max(0, byMs)
      await runMicrotasks()
      while (await step(untilMs));
      elapsed = Math.max(elapsed, untilMs)
    },
    stepWallClock(byMs) {
      stepped += byMs
    },
    async until(promise, patienceMs = Infinity) {
      const endMs = elapsed + patienceMs
      let isSettled = false
      const settle = (): void => void (isSettled = true)
      promise.then(settle, settle)
      await runMicrotasks()
      while (!isSettled)
        if (!(await step(endMs)))
          throw new Error(
            queue.length === 0
              ? 'the simulation waits for a promise that can never settle: no call is scheduled'
              : `the promise has not settled after ${patienceMs} ms of simulated time`,
          )
      return promise
    },
  }
}

/** Inserts by due time, then by order of call. */
function insert(queue: ScheduledCall[], due: ScheduledCall): void {
  let low = 0
  let high = queue.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const other = queue[middle] as ScheduledCall
    if (other.at < due.at || (other.at === due.at && other.order < due.order)) low = middle + 1
    else high = middle
  }
  queue.splice(low, 0, due)
}
