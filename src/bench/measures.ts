// The measures of the engine, by name. Each takes a directory of its own.
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { yieldToEventLoop, sleep, systemClock } from '../base/time/clock.ts'
import type { ClosedLoop } from './closed-loop.ts'
import { closedLoop, untilFinished } from './closed-loop.ts'
import type { Metrics } from './metrics.ts'
import { latencyMetrics } from './metrics.ts'
import type { MeasuredSystem } from './running-system.ts'
import { startMeasuredSystem } from './running-system.ts'
import type { Path } from './system.ts'

export interface InDirectory {
  readonly directory: string
}

const SYNCED_BYTES = 4_096

/** Latency of a write of one page with fsync. */
export async function sync({ directory, seconds }: InDirectory & Pick<ClosedLoop, 'seconds'>) {
  const clock = systemClock()
  const page = Buffer.alloc(SYNCED_BYTES, 7)
  const file = openSync(join(directory, 'sync'), 'w')
  const latenciesMs: number[] = []
  const endsAt = clock.elapsed() + seconds * 1_000
  while (clock.elapsed() < endsAt) {
    const beganAt = clock.elapsed()
    writeSync(file, page)
    fdatasyncSync(file)
    latenciesMs.push(clock.elapsed() - beganAt)
  }
  closeSync(file)
  return { ...latencyMetrics('sync', latenciesMs), perSecond: latenciesMs.length / seconds }
}

export type AppendOptions = InDirectory &
  Pick<ClosedLoop, 'seconds' | 'warmUpSeconds' | 'batch' | 'publishers'>

/** Appends without a consumer: `publishers` concurrent calls of `batch` events each. */
export async function append(options: AppendOptions): Promise<Metrics> {
  const flow = await startMeasuredSystem({ directory: options.directory, path: 'nothing' })
  let stored = 0
  const latenciesMs: number[] = []
  const publish = async (from: number, count: number): Promise<void> => {
    const beganAt = flow.clock.elapsed()
    await flow.publish(from, count)
    stored += count
    latenciesMs.push(flow.clock.elapsed() - beganAt)
  }
  const loop = { ...options, backlogMax: Number.POSITIVE_INFINITY }
  const { perSecond = 0, cpuUs = 0 } = await closedLoop(
    flow.clock,
    { publish, finished: () => stored },
    loop,
  )
  await flow.app.stop()
  return { perSecond, cpuUs, ...latencyMetrics('ack', latenciesMs) }
}

export type EndToEndOptions = InDirectory & ClosedLoop & { readonly path: Path }

/** End to end: append, ordered read, commit of state and progress. Each event must count once. */
export async function endToEnd({ path, directory, ...loop }: EndToEndOptions): Promise<Metrics> {
  const flow = await startMeasuredSystem({ directory, path })
  const { perSecond = 0, cpuUs = 0, published = 0 } = await closedLoop(flow.clock, flow, loop)
  await untilFinished(flow.clock, flow, published)
  await assertCounted(flow, published)
  await flow.app.stop()
  return { perSecond, cpuUs }
}

/** Checks the engine's counters against the number of published events. */
async function assertCounted({ app }: MeasuredSystem, published: number): Promise<void> {
  await app.settled()
  const [status] = await app.status()
  if (status?.completed !== published)
    throw new Error(`${published} events were published, but ${status?.completed} are completed`)
}

export interface OpenLoopOptions extends InDirectory {
  readonly path: Path
  readonly perSecond: number
  readonly seconds: number
  readonly warmUpSeconds: number
}

/**
 * Publishes at a fixed rate, whether or not the system keeps up. Latencies start when an event is due:
 * until its ack, until its rule runs, and until the commit.
 */
export async function openLoop(options: OpenLoopOptions): Promise<Metrics> {
  const { directory, path, perSecond, seconds, warmUpSeconds } = options
  const toRuleMs: number[] = []
  const toCommitMs: number[] = []
  const toAckMs: number[] = []
  const clock = systemClock()
  const first = perSecond * warmUpSeconds
  const total = first + perSecond * seconds
  let beganAt = 0
  const dueAt = (number: number): number => beganAt + (number / perSecond) * 1_000
  const flow = await startMeasuredSystem({
    directory,
    path,
    onCommitted(numbers, ranAt) {
      const now = clock.elapsed()
      for (const [at, number] of numbers.entries()) {
        if (number < first) continue
        toRuleMs.push((ranAt[at] ?? now) - dueAt(number))
        toCommitMs.push(now - dueAt(number))
      }
    },
  })
  const delay = monitorEventLoopDelay({ resolution: 1 })
  let [published, acked] = [0, 0]
  let failure: unknown
  const acknowledged = (from: number, count: number) => (): void => {
    const now = clock.elapsed()
    acked += count
    for (let at = from; at < from + count; at += 1) if (at >= first) toAckMs.push(now - dueAt(at))
  }
  beganAt = clock.elapsed()
  while (published < total) {
    if (failure !== undefined) throw failure
    const due = Math.min(total, Math.floor(((clock.elapsed() - beganAt) / 1_000) * perSecond))
    if (due >= first) delay.enable()
    const from = published
    published = Math.max(published, due)
    if (published > from)
      flow.publish(from, published - from).then(acknowledged(from, published - from), (cause) => {
        failure = cause
      })
    await sleep(clock, 1)
  }
  delay.disable()
  while (acked < total && failure === undefined) await yieldToEventLoop(clock)
  await untilFinished(clock, flow, total)
  const perSecondReached = total / ((clock.elapsed() - beganAt) / 1_000)
  await assertCounted(flow, total)
  await flow.app.stop()
  return {
    perSecond: perSecondReached,
    ...latencyMetrics('ack', toAckMs),
    ...latencyMetrics('rule', toRuleMs),
    ...latencyMetrics('commit', toCommitMs),
    loopP99Ms: delay.percentile(99) / 1e6,
    loopMaxMs: delay.max / 1e6,
  }
}
