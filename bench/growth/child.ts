// One step of the growth table, in a process of its own.
import { setTimeout as pause } from 'node:timers/promises'
import { service } from 'throughline'
import { serveMeasures } from '../../src/bench/measure-process.ts'
import type { Metrics } from '../../src/bench/metrics.ts'
import type { MeasuredSystem } from '../../src/bench/running-system.ts'
import { startMeasuredSystem } from '../../src/bench/running-system.ts'
import { totalsOf } from '../../src/bench/system.ts'

const TOPIC = 'readings.events'
const BATCH = 1_000
/** The rate is measured over this many last appends. */
const MEASURED = 200_000
const READ_BYTES_MAX = 64_000_000

interface InDirectory {
  readonly directory: string
}

const peakMb = (): number => process.resourceUsage().maxRSS / 1_000

async function countOf({ log }: MeasuredSystem): Promise<number> {
  const ends = await log.ends([TOPIC])
  return ends.reduce((sum, { first, next }) => sum + next - first, 0)
}

/** Appends for compilation and caches. */
const WARM_UP = 50_000
/** How long it keeps appending before it reports, and is killed. */
const KILLED_AFTER_MS = 300

/** Appends until the log has `total` events; returns the rate of the last ones. */
async function appendTo(flow: MeasuredSystem, total: number): Promise<number> {
  let count = await countOf(flow)
  const measuredFrom = Math.max(count, total - MEASURED)
  let [beganAt, began] = [0, 0]
  while (count < total) {
    if (beganAt === 0 && count >= measuredFrom) [beganAt, began] = [performance.now(), count]
    await flow.publish(count, BATCH)
    count += BATCH
  }
  return ((count - began) / (performance.now() - beganAt)) * 1_000
}

interface Filling extends InDirectory {
  readonly total: number
  /** A directory for the warm-up, used if the log itself is too small for one. */
  readonly scratch: string
}

/** Appends until the log has `total` events, then keeps appending until it is killed. */
async function fill({ directory, total, scratch }: Filling): Promise<Metrics> {
  if (total < WARM_UP + MEASURED) {
    const flow = await startMeasuredSystem({ directory: scratch, path: 'nothing' })
    await appendTo(flow, WARM_UP)
    await flow.app.stop()
  }
  const flow = await startMeasuredSystem({ directory, path: 'nothing' })
  const perSecond = await appendTo(flow, total)
  void goOn(flow, total)
  await pause(KILLED_AFTER_MS)
  return { perSecond, peakMb: peakMb() }
}

/** The append rate of a nearly empty log. */
async function empty({ directory }: InDirectory): Promise<Metrics> {
  const flow = await startMeasuredSystem({ directory, path: 'nothing' })
  const perSecond = await appendTo(flow, WARM_UP + MEASURED)
  await flow.app.stop()
  return { perSecond }
}

async function goOn(flow: MeasuredSystem, from: number): Promise<never> {
  for (let count = from; ; count += BATCH) await flow.publish(count, BATCH)
}

/** Time from the start of this process until it has appended and read an event. */
async function ready({ directory }: InDirectory): Promise<Metrics> {
  const flow = await startMeasuredSystem({ directory, path: 'nothing' })
  await flow.publish(0, 1)
  const [end] = await flow.log.ends([TOPIC])
  if (!end) throw new Error('the topic is gone')
  const position = { topic: TOPIC, partition: end.partition, next: end.next - 1 }
  const [slice] = await flow.log.read([position], { records: 1, bytes: READ_BYTES_MAX }, { ms: 0 })
  if (slice?.records.length !== 1) throw new Error('the last event cannot be read')
  const readyMs = performance.now()
  const openMb = peakMb()
  const events = await countOf(flow)
  await flow.app.stop()
  return { readyMs, events, openMb }
}

/** Reads the last events of all partitions in batches, repeatedly. */
async function tail({ directory, seconds }: InDirectory & { seconds: number }): Promise<Metrics> {
  const flow = await startMeasuredSystem({ directory, path: 'nothing' })
  const ends = await flow.log.ends([TOPIC])
  const perPartition = Math.ceil(MEASURED / ends.length)
  let read = 0
  let beganAt = performance.now()
  const endsAt = beganAt + seconds * 1_000
  for (let lap = 0; lap < 2 || performance.now() < endsAt; lap += 1) {
    // The first lap warms up.
    if (lap === 1) [read, beganAt] = [0, performance.now()]
    let from = ends.map(({ partition, first, next }) => {
      return { topic: TOPIC, partition, next: Math.max(first, next - perPartition) }
    })
    for (let found = 1; found > 0;) {
      const max = { records: BATCH, bytes: READ_BYTES_MAX }
      const slices = await flow.log.read(from, max, { ms: 0 })
      found = slices.reduce((sum, { records }) => sum + records.length, 0)
      read += found
      from = slices.map(({ topic, partition, next }) => ({ topic, partition, next }))
    }
  }
  const perSecond = (read / (performance.now() - beganAt)) * 1_000
  await flow.app.stop()
  return { perSecond, peakMb: peakMb() }
}

/**
 * Starts a new projection, which reads everything from the beginning, and then rebuilds it.
 */
async function rebuild({ directory, name }: InDirectory & { name: string }): Promise<Metrics> {
  const beganAt = performance.now()
  const flow = await startMeasuredSystem({
    directory,
    path: 'nothing',
    moreServices: (counted) => [service(name, { runs: [totalsOf('totals', counted)] })],
  })
  const total = await countOf(flow)
  while (flow.finished() < total) await pause(10)
  const projectMs = performance.now() - beganAt
  await flow.app.settled()
  const status = (await flow.app.status()).find(({ consumer }) => consumer === `${name}/totals`)
  assertCount(total, status?.completed)
  const rebuildAt = performance.now()
  const { events } = await flow.app.rebuild(`${name}/totals`)
  const rebuildMs = performance.now() - rebuildAt
  assertCount(total, events)
  await flow.app.stop()
  return { projectMs, rebuildMs, peakMb: peakMb() }
}

function assertCount(total: number, counted: number | undefined): void {
  if (counted !== total) throw new Error(`the log has ${total} events, but ${counted} were counted`)
}

serveMeasures({ empty, fill, ready, tail, rebuild })
