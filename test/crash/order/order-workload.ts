// What one instance of the randomised run does: it produces, works, redrives, and takes samples.
import type { App } from 'throughline'
import type { Clock } from '../../../src/base/time/clock.ts'
import { sleep } from '../../../src/base/time/clock.ts'
import type { Random } from '../../../src/base/random.ts'
import type { EventStore } from '../../../src/ports/event-store.ts'
import type { OrderSize } from './order-batches.ts'
import { batchesOf, messageOf } from './order-batches.ts'
import type { HistoryLine, WriteHistory } from './order-history.ts'
import { operate } from './order-operator.ts'
import { CONSUMERS } from './order-scenario.ts'

export interface WorkloadParts extends OrderSize {
  readonly app: App
  readonly store: Pick<EventStore, 'progress'>
  readonly clock: Clock
  readonly random: Random
  readonly write: WriteHistory
  /** Batches that earlier instances have produced, and those of them that were acked. */
  readonly produced: ReadonlySet<number>
  readonly acked: ReadonlySet<number>
  /** Called after each ack with the number of acked events. */
  readonly onAck: (events: number) => void
}

/** How often samples are taken. The checker counts time in samples. */
export const SAMPLE_MS = 50
/** The producer waits while a consumer has more than this to read. */
const LAG_MAX = 600
const LAG_CHECK_MS = 5
const IN_FLIGHT_MAX = 3

/** The batches that a history says were produced, and acked. */
export function batchesIn(
  lines: readonly HistoryLine[],
): Pick<WorkloadParts, 'produced' | 'acked'> {
  const [produced, acked] = [new Set<number>(), new Set<number>()]
  for (const line of lines) {
    if (line.kind === 'produce') produced.add(line.batch)
    if (line.kind === 'ack') acked.add(line.batch)
  }
  return { produced, acked }
}

/** Produces all events, and resolves once everything is settled: nothing is unread, held or dead. */
export async function runWorkload(parts: WorkloadParts): Promise<void> {
  const { app, clock, random, seed, write } = parts
  const stopping = new AbortController()
  let isDraining = false
  const { signal: stop } = stopping
  const { deadLetters } = app
  const operator = { deadLetters, clock, random, seed, write, isDraining: () => isDraining, stop }
  const sampling = takeSamples(parts, stop).then(() => stopping.abort())
  const beside = Promise.all([operate(operator), sampling])
  await produce(parts, stop)
  isDraining = true
  while (!stop.aborted && !(await isSettled(app))) await sleep(clock, SAMPLE_MS, stop)
  const isStuck = stop.aborted
  stopping.abort()
  await beside
  if (!isStuck) write({ kind: 'settled' })
}

async function isSettled(app: App): Promise<boolean> {
  const status = await app.status()
  return status.every(({ lag, pending, dead }) => lag + pending + dead === 0)
}

/** Samples without a change after which the run is given up. */
const STUCK_SAMPLES = 300

/** Takes samples until it is stopped, or until nothing is handled any more. */
async function takeSamples(
  { store, clock, write }: WorkloadParts,
  stop: AbortSignal,
): Promise<void> {
  let [before, same] = [-1, 0]
  while (!stop.aborted && same < STUCK_SAMPLES) {
    await sleep(clock, SAMPLE_MS, stop)
    const progress = await store.progress(ALL)
    write({ kind: 'sample', progress, isQuiet: false })
    const handled = progress.reduce((sum, each) => sum + each.completed + each.discarded, 0)
    same = handled === before ? same + 1 : 0
    before = handled
  }
  if (!stop.aborted) write({ kind: 'wrong', what: `nothing was handled for ${same} samples` })
}

const ALL = Object.keys(CONSUMERS)

/** Produces the batches that are missing, those that were not acked first. */
async function produce(parts: WorkloadParts, stop: AbortSignal): Promise<void> {
  const { app, clock, write, acked, onAck } = parts
  const flights = new Set<Promise<void>>()
  let count = acked.size
  for (const [batch, events] of batchesOf(parts).entries()) {
    if (acked.has(batch)) continue
    while (!stop.aborted && (await isLagging(app))) await sleep(clock, LAG_CHECK_MS, stop)
    if (stop.aborted) break
    write({ kind: 'produce', batch })
    const ids = events.map(({ id }) => id)
    const flight = app.append(events.map(messageOf), { ids }).then((answers) => {
      const other = answers.find(({ status }) => status !== 'stored')
      if (other) write({ kind: 'wrong', what: `batch ${batch}: ${JSON.stringify(other)}` })
      else write({ kind: 'ack', batch })
      count += 1
      onAck(count * events.length)
    })
    flights.add(flight)
    void flight.finally(() => flights.delete(flight))
    if (flights.size >= IN_FLIGHT_MAX) await Promise.race(flights)
  }
  await Promise.all(flights)
}

async function isLagging(app: App): Promise<boolean> {
  return (await app.status()).some(({ lag }) => lag > LAG_MAX)
}
