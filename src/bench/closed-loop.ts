import type { Clock } from '../base/time/clock.ts'
import { sleep } from '../base/time/clock.ts'
import type { Metrics } from './metrics.ts'

/** A measured system: it accepts events, and finishes them some time later. */
export interface Flow {
  /** Resolves once the events `from` to `from + count` are acked. */
  publish(from: number, count: number): Promise<void>
  /** The number of finished events, with their progress committed. */
  finished(): number
}

export interface ClosedLoop {
  readonly seconds: number
  /** Time before the measurement, for compilation and caches. */
  readonly warmUpSeconds: number
  readonly batch: number
  /** The number of concurrent publishers. */
  readonly publishers: number
  /** Publishers wait while more events than this are published and not finished. */
  readonly backlogMax: number
}

/**
 * Publishes as fast as the flow accepts events, with a bounded backlog, and measures the rate of
 * finished events. So the rate is that of the slowest part.
 */
export async function closedLoop(clock: Clock, flow: Flow, options: ClosedLoop): Promise<Metrics> {
  const { batch, publishers, backlogMax } = options
  let published = 0
  let isOver = false
  const publisher = async (): Promise<void> => {
    while (!isOver) {
      const from = published
      published += batch
      await flow.publish(from, batch)
      while (!isOver && published - flow.finished() > backlogMax) await sleep(clock, 1)
    }
  }
  const publishing = Promise.all(Array.from({ length: publishers }, publisher))
  const rate = rateOf(clock, flow.finished, options)
  // Publishing settles first only if it fails.
  await Promise.race([rate, publishing])
  isOver = true
  await publishing
  return { ...(await rate), published }
}

/**
 * The rate of finished events after the warm-up, and the CPU time of this process per event, which
 * depends less on other load of the machine.
 */
export async function rateOf(
  clock: Clock,
  finished: () => number,
  { warmUpSeconds, seconds }: Pick<ClosedLoop, 'seconds' | 'warmUpSeconds'>,
): Promise<{ readonly perSecond: number; readonly cpuUs: number }> {
  await sleep(clock, warmUpSeconds * 1_000)
  const [beganAt, before, cpuBefore] = [clock.elapsed(), finished(), process.cpuUsage()]
  await sleep(clock, seconds * 1_000)
  const count = finished() - before
  const { user, system } = process.cpuUsage(cpuBefore)
  const perSecond = (count / (clock.elapsed() - beganAt)) * 1_000
  return { perSecond, cpuUs: (user + system) / count }
}

/** Waits until all published events are finished. Throws after the timeout. */
export async function untilFinished(
  clock: Clock,
  flow: Pick<Flow, 'finished'>,
  published: number,
  timeoutMs = 60_000,
): Promise<void> {
  const until = clock.elapsed() + timeoutMs
  while (flow.finished() < published) {
    if (clock.elapsed() > until)
      throw new Error(`only ${flow.finished()} of ${published} events were finished`)
    await sleep(clock, 1)
  }
}
