// One step of the held-key bench, in a process of its own: a projection over readings of many meters, of
// which one is stuck behind a dead letter.
import { setTimeout as pause } from 'node:timers/promises'
import type { App } from 'throughline'
import { final, projection, service, start, tool } from 'throughline'
import { embedded } from 'throughline/embedded'
import { serveMeasures } from '../../src/bench/measure-process.ts'
import type { Metrics } from '../../src/bench/metrics.ts'
import type { Total } from '../../src/bench/system.ts'
import { Readings, readingOf } from '../../src/bench/system.ts'
import { STUCK, mixedReadings } from './readings.ts'

export interface HeldOptions {
  readonly directory: string
  /** Events of the stuck key, and of all other keys. */
  readonly stuck: number
  readonly others: number
  /** Whether the first event of the stuck key fails. */
  readonly isHeld: boolean
  /** Events of the stuck key that are released at the end; 0 for none. */
  readonly released: number
}

const BATCH = 1_000
const ENGINE = { lagEventsMax: 1_000_000_000, ruleBudgetMs: 60_000, unitComputeMsMax: 60_000 }
const HOOKS = {
  onSlowRule: () => undefined,
  onSlowUnits: () => undefined,
  onRuleError: () => undefined,
}

/** Stores the events without a consumer. */
async function fill({ directory, stuck, others }: HeldOptions): Promise<Metrics> {
  const services = [service('readings', { owns: [Readings], runs: [] })]
  const app = await start(services, embedded({ directory }), { engine: ENGINE, ...HOOKS })
  for (const readings of mixedReadings(stuck, others, BATCH))
    await app.append(readings.map((reading) => Readings.Taken(reading)))
  await app.stop()
  return {}
}

/** Counts the events of other keys, and tells when a number of them is reached. */
function createCounter() {
  let count = 0
  let [target, reached]: [number, () => void] = [Infinity, () => undefined]
  return {
    add(): void {
      count += 1
      if (count >= target) reached()
    },
    count: (): number => count,
    until(wanted: number): Promise<void> {
      return new Promise((resolve) => {
        ;[target, reached] = [wanted, resolve]
        if (count >= wanted) resolve()
      })
    },
  }
}

function measuredService(isHeld: boolean, counted: () => void) {
  const totals = projection('totals', { by: 'meterId', row: tool<Total>() }, (on) => [
    on(Readings.Taken, ({ meterId, number, units }, before) => {
      if (meterId !== STUCK) counted()
      else if (isHeld && number === 0) throw final('the first reading is a dead letter')
      return { count: (before?.count ?? 0) + 1, units: (before?.units ?? 0) + units }
    }),
  ])
  const readers = service('readers', { runs: [totals] })
  return [service('readings', { owns: [Readings], runs: [] }), readers] as const
}

/** Rates by the clock and by CPU time. */
async function rateOf(count: number, run: () => Promise<void>): Promise<readonly [number, number]> {
  const [beganAt, cpu] = [performance.now(), process.cpuUsage()]
  await run()
  const { user, system } = process.cpuUsage(cpu)
  return [(count / (performance.now() - beganAt)) * 1_000, (count / (user + system)) * 1e6]
}

const heapMb = (): number => {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed / 1e6
}

/** Processes everything; rates and memory are measured between 10% and 90% of the other events. */
async function run(options: HeldOptions): Promise<Metrics> {
  const { directory, others, isHeld } = options
  const counter = createCounter()
  const services = measuredService(isHeld, counter.add)
  const app = await start(services, embedded({ directory }), { engine: ENGINE, ...HOOKS })
  // The first tenth warms up.
  await counter.until(others * 0.1)
  const heapBefore = heapMb()
  const [perSecond, perCpuSecond] = await rateOf(others * 0.8, () => counter.until(others * 0.9))
  const heapAfter = heapMb()
  await untilRead(app)
  const [later, laterByCpu] = await laterRate(app, options, counter)
  const released = options.released > 0 ? await release(app, options.released) : {}
  const peakMb = process.resourceUsage().maxRSS / 1_000
  await app.stop()
  return {
    perSecond,
    perCpuSecond,
    laterPerSecond: later,
    laterPerCpuSecond: laterByCpu,
    heapGrowthMb: heapAfter - heapBefore,
    peakMb,
    ...released,
  }
}

async function untilRead(app: App): Promise<void> {
  while ((await app.status()).some(({ lag }) => lag > 0)) await pause(20)
}

/** The rate of other keys once everything of the stuck key waits. */
async function laterRate(
  app: App,
  { others }: HeldOptions,
  counter: ReturnType<typeof createCounter>,
): Promise<readonly [number, number]> {
  const more = Math.floor(others / 2 / BATCH) * BATCH
  const wanted = counter.count() + more
  return rateOf(more, async () => {
    for (let from = 0; from < more; from += BATCH)
      await app.append(
        Array.from({ length: BATCH }, (_, at) => Readings.Taken(readingOf(from + at))),
      )
    await counter.until(wanted)
  })
}

/** Discards the dead letter, and measures how fast what waits behind it goes on. */
async function release(app: App, count: number): Promise<Metrics> {
  const pending = async (): Promise<number> =>
    (await app.status()).reduce((sum, each) => sum + each.pending, 0)
  const before = await pending()
  const [perSecond, perCpuSecond] = await rateOf(count, async () => {
    await app.deadLetters.discard({ by: 'bench', reason: 'to release its key' })
    while (before - (await pending()) < count) await pause(50)
  })
  return { releasedPerSecond: perSecond, releasedPerCpuSecond: perCpuSecond }
}

serveMeasures({ fill, run })
