// The metrics of the last hour, kept by the server, so that a page has them as soon as it opens.
import type { Clock } from '../base/time/clock.ts'
import { sleep } from '../base/time/clock.ts'
import type { Counters } from '../control/overview.ts'
import type { MetricsView, SampleView } from './wire.ts'

/** Interval of the samples. */
export const SAMPLE_MS = 5_000
/** Length of the history. */
export const HISTORY_MS = 3_600_000
const SAMPLES_MAX = HISTORY_MS / SAMPLE_MS

/** The samples of the last hour, in order of time. */
export interface History {
  /** The samples after an instant. */
  since(atMs: number): readonly SampleView[]
}

/** Records a sample every interval until the signal aborts. A failed reading leaves a gap. */
export function recordHistory(
  clock: Clock,
  readCounters: () => Promise<Counters>,
  signal: AbortSignal,
): History {
  let samples: readonly SampleView[] = []
  const record = async (): Promise<void> => {
    let last: Reading | undefined
    while (!signal.aborted) {
      const taken = await readNow(clock, readCounters)
      if (taken && last) samples = [...samples, sampleOf(last, taken)].slice(-SAMPLES_MAX)
      last = taken ?? last
      await sleep(clock, SAMPLE_MS, signal)
    }
  }
  void record()
  return { since: (atMs) => samples.filter(({ at }) => at > atMs) }
}

/** Counters with the time of the reading: wall-clock time to show, elapsed time for rates. */
interface Reading extends Counters {
  readonly at: number
  readonly elapsedMs: number
}

async function readNow(
  clock: Clock,
  readCounters: () => Promise<Counters>,
): Promise<Reading | undefined> {
  try {
    const counters = await readCounters()
    return { ...counters, at: clock.now(), elapsedMs: clock.elapsed() }
  } catch {
    // Health reports the failure; the charts have a gap.
    return undefined
  }
}

function sampleOf(before: Reading, now: Reading): SampleView {
  const seconds = Math.max(1, now.elapsedMs - before.elapsedMs) / 1_000
  const rate = (from: number, to: number): number => round(Math.max(0, to - from) / seconds)
  const completed = new Map(before.services.map((each) => [each.name, each.completed]))
  const services = now.services.map(({ name, completed: count, lag }): [string, MetricsView] => [
    name,
    { perSecond: rate(completed.get(name) ?? count, count), lag },
  ])
  return {
    at: now.at,
    perSecond: rate(before.appended, now.appended),
    lag: now.services.reduce((sum, { lag }) => sum + lag, 0),
    services: Object.fromEntries(services),
  }
}

/** Charts show no more decimals. */
const round = (perSecond: number): number => Math.round(perSecond * 100) / 100
