import type { Clock } from '../base/clock.ts'
import { pause } from '../base/clock.ts'
import type { Figures } from './figures.ts'

/** What is measured: something that takes events and something that finishes them. */
export interface Flow {
  /** Resolves once events `from` to `from + count` are taken, as durable as they will be. */
  publish(from: number, count: number): Promise<void>
  /** Events that are finished, progress and all. */
  finished(): number
}

export interface ClosedLoop {
  readonly seconds: number
  /** Not measured: until code is compiled and caches are warm. */
  readonly warmUpSeconds: number
  readonly batch: number
  /** How many publish at the same time. */
  readonly publishers: number
  /** Publishers wait while more than these are taken and not finished. */
  readonly backlogMax: number
}

/**
 * Publishes as fast as the flow takes it, and counts what is finished between two moments, while
 * the backlog is bounded: so the rate is that of the slowest part.
 */
export async function closedLoop(clock: Clock, flow: Flow, options: ClosedLoop): Promise<Figures> {
  const { batch, publishers, backlogMax } = options
  let published = 0
  let isOver = false
  const publisher = async (): Promise<void> => {
    while (!isOver) {
      const from = published
      published += batch
      await flow.publish(from, batch)
      while (!isOver && published - flow.finished() > backlogMax) await pause(clock, 1)
    }
  }
  const publishing = Promise.all(Array.from({ length: publishers }, publisher))
  const rate = rateOf(clock, flow.finished, options)
  // Publishing ends by itself only when it fails.
  await Promise.race([rate, publishing])
  isOver = true
  await publishing
  return { ...(await rate), published }
}

/**
 * Counts what is finished between the end of the warm-up and the end of the measurement, and what
 * this process takes of the processors for each: that depends less on what else a machine does.
 */
export async function rateOf(
  clock: Clock,
  finished: () => number,
  { warmUpSeconds, seconds }: Pick<ClosedLoop, 'seconds' | 'warmUpSeconds'>,
): Promise<{ readonly perSecond: number; readonly cpuUs: number }> {
  await pause(clock, warmUpSeconds * 1_000)
  const [beganAt, before, cpuBefore] = [clock.elapsed(), finished(), process.cpuUsage()]
  await pause(clock, seconds * 1_000)
  const count = finished() - before
  const { user, system } = process.cpuUsage(cpuBefore)
  const perSecond = (count / (clock.elapsed() - beganAt)) * 1_000
  return { perSecond, cpuUs: (user + system) / count }
}

/** Waits until all that was published is finished; what never comes is an error. */
export async function drained(
  clock: Clock,
  flow: Pick<Flow, 'finished'>,
  published: number,
  patienceMs = 60_000,
): Promise<void> {
  const until = clock.elapsed() + patienceMs
  while (flow.finished() < published) {
    if (clock.elapsed() > until)
      throw new Error(`only ${flow.finished()} of ${published} events were finished`)
    await pause(clock, 1)
  }
}
