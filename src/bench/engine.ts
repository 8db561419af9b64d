// What is measured of the engine alone, on one disk.
import { mkdirSync } from 'node:fs'
import { extname, join } from 'node:path'
import { apart } from './apart.ts'
import type { Figures } from './figures.ts'

/** The program that offers the measures of the engine; the package has it as JavaScript. */
export const ENGINE: URL = new URL(`child${extname(import.meta.filename)}`, import.meta.url)

/** One measurement of the engine. */
export interface EngineMeasurement {
  readonly name: string
  readonly what: string
  readonly measure: string
  readonly options: Readonly<Record<string, unknown>>
  /** What the latencies among its figures begin with. */
  readonly latency?: string
}

/** How many events may be under way: enough that nobody waits, and no more. */
export const BACKLOG_MAX = 10_000
const CALLERS = 50
const FLOW = { batch: 100, publishers: 2, backlogMax: BACKLOG_MAX } as const
const RATE = 1_000

export const ENGINE_MEASUREMENTS: readonly EngineMeasurement[] = [
  { name: 'sync', what: 'fsync of 4 KiB', measure: 'sync', options: {}, latency: 'sync' },
  {
    name: 'append100',
    what: 'append, batches of 100',
    measure: 'append',
    options: { batch: 100, publishers: 1 },
    latency: 'ack',
  },
  {
    name: 'append1000',
    what: 'append, batches of 1,000',
    measure: 'append',
    options: { batch: 1_000, publishers: 1 },
    latency: 'ack',
  },
  {
    name: 'single',
    what: `append, ${CALLERS} callers with one event each`,
    measure: 'append',
    options: { batch: 1, publishers: CALLERS },
    latency: 'ack',
  },
  {
    name: 'projection',
    what: 'event → row, end to end',
    measure: 'endToEnd',
    options: { ...FLOW, path: 'projection' },
  },
  {
    name: 'entity',
    what: 'command → event → entity, end to end',
    measure: 'endToEnd',
    options: { ...FLOW, path: 'entity' },
  },
  {
    name: 'openLoop',
    what: '1,000 events/s, from due to committed',
    measure: 'openLoop',
    options: { perSecond: RATE, path: 'projection' },
    latency: 'commit',
  },
]

const WARM_UP_SECONDS = 1

/**
 * Measures in a process and a directory of its own, below `parent`. It takes `seconds`, after one
 * second that does not count.
 */
export async function measureEngine(
  { name, measure, options }: EngineMeasurement,
  parent: string,
  seconds: number,
): Promise<Figures> {
  const directory = join(parent, name)
  mkdirSync(directory)
  const pace = { seconds, warmUpSeconds: WARM_UP_SECONDS, directory }
  return apart<Figures>(ENGINE, measure, { ...options, ...pace })
}
