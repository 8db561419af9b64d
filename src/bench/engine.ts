// The measurements of the engine, on one disk.
import { mkdirSync } from 'node:fs'
import { extname, join } from 'node:path'
import { measureInProcess } from './measure-process.ts'
import type { Metrics } from './metrics.ts'

/** The program that runs the measures of the engine. In the package it is JavaScript. */
export const ENGINE_PROGRAM: URL = new URL(`child${extname(import.meta.filename)}`, import.meta.url)

/** One measurement of the engine. */
export interface EngineMeasurement {
  readonly name: string
  readonly description: string
  readonly measure: string
  readonly options: Readonly<Record<string, unknown>>
  /** The prefix of its latency metrics. */
  readonly latency?: string
}

/** The number of unfinished events: enough to keep the engine busy. */
export const BACKLOG_MAX = 10_000
const CALLERS = 50
const FLOW = { batch: 100, publishers: 2, backlogMax: BACKLOG_MAX } as const
const RATE = 1_000

export const ENGINE_MEASUREMENTS: readonly EngineMeasurement[] = [
  { name: 'sync', description: 'fsync of 4 KiB', measure: 'sync', options: {}, latency: 'sync' },
  {
    name: 'append100',
    description: 'append, batches of 100',
    measure: 'append',
    options: { batch: 100, publishers: 1 },
    latency: 'ack',
  },
  {
    name: 'append1000',
    description: 'append, batches of 1,000',
    measure: 'append',
    options: { batch: 1_000, publishers: 1 },
    latency: 'ack',
  },
  {
    name: 'single',
    description: `append, ${CALLERS} callers with one event each`,
    measure: 'append',
    options: { batch: 1, publishers: CALLERS },
    latency: 'ack',
  },
  {
    name: 'projection',
    description: 'event → row, end to end',
    measure: 'endToEnd',
    options: { ...FLOW, path: 'projection' },
  },
  {
    name: 'entity',
    description: 'command → event → entity, end to end',
    measure: 'endToEnd',
    options: { ...FLOW, path: 'entity' },
  },
  {
    name: 'openLoop',
    description: '1,000 events/s, from due to committed',
    measure: 'openLoop',
    options: { perSecond: RATE, path: 'projection' },
    latency: 'commit',
  },
]

const WARM_UP_SECONDS = 1

/**
 * Measures in a process and a directory of its own below `parent`, for `seconds` after a warm-up of
 * one second.
 */
export async function measureEngine(
  { name, measure, options }: EngineMeasurement,
  parent: string,
  seconds: number,
): Promise<Metrics> {
  const directory = join(parent, name)
  mkdirSync(directory)
  const pace = { seconds, warmUpSeconds: WARM_UP_SECONDS, directory }
  return measureInProcess<Metrics>(ENGINE_PROGRAM, measure, { ...options, ...pace })
}
