// Measures how performance changes as the log grows, and prints one table.
//
//   npm run bench:growth -- [--max 10000000] [--json] [--directory D]
//
// One log grows from size to size. At each size: append up to it, kill the process with SIGKILL while
// it appends, start again, read the tail, start a new projection, and rebuild it. Exits with 1 if a
// limit is missed at the largest size.
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { measureInProcess } from '../../src/bench/measure-process.ts'
import type { Metrics } from '../../src/bench/metrics.ts'
import { median } from '../../src/bench/metrics.ts'
import { createScratchDirectory } from '../../src/bench/scratch-directory.ts'
import { machineOf, machineText } from '../machine.ts'

const SIZES = [10_000, 100_000, 1_000_000, 10_000_000] as const
const child = new URL('child.ts', import.meta.url)
const READ_SECONDS = 2
const READY_RUNS = 3

/** Small heap steps, as for a service with little memory. */
const FLAGS = ['--max-semi-space-size=8', '--heap-growing-percent=50']

/** Limits at the largest size; ratios are to an empty log, measured just before. */
const LIMITS = [
  { figure: 'appendRatio', what: 'append rate relative to an empty log', min: 0.8 },
  { figure: 'readRatio', what: 'tail-read rate relative to an empty log', min: 0.8 },
  { figure: 'readyMs', what: 'ms until ready after a kill', max: 2_000 },
  { figure: 'peakMb', what: 'MB of memory at most', max: 256 },
  { figure: 'rebuildMs', what: 'ms to rebuild a projection of everything', max: 60_000 },
] as const

const { values } = parseArgs({
  options: {
    max: { type: 'string', default: '10000000' },
    json: { type: 'boolean', default: false },
    directory: { type: 'string', default: tmpdir() },
  },
})

function bytesIn(directory: string): number {
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, { name }) => sum + statSync(join(directory, name)).size, 0)
}

/** Runs a step in a process of its own. */
const step = (name: string, options: object): Promise<Metrics> =>
  measureInProcess(child, name, options, FLAGS)

async function sizeUp(directory: string, scratch: string, total: number): Promise<Metrics> {
  const empty = join(scratch, 'empty')
  const emptyAppend = await step('empty', { directory: empty })
  // The process is killed after its report, while it appends.
  const filled = await step('fill', { directory, total, scratch: join(scratch, 'warm') })
  const started: Metrics[] = []
  for (let run = 0; run < READY_RUNS; run += 1) started.push(await step('ready', { directory }))
  const emptyRead = await step('tail', { directory: empty, seconds: READ_SECONDS })
  const read = await step('tail', { directory, seconds: READ_SECONDS })
  const bytes = bytesIn(directory)
  const rebuilt = await step('rebuild', { directory, name: `view-${total}` })
  const last = started.at(-1) ?? {}
  const events = last['events'] ?? total
  return {
    events,
    appendPerSecond: filled['perSecond'] ?? Number.NaN,
    appendRatio: ratio(filled['perSecond'], emptyAppend['perSecond']),
    readPerSecond: read['perSecond'] ?? Number.NaN,
    readRatio: ratio(read['perSecond'], emptyRead['perSecond']),
    bytesPerEvent: bytes / events,
    // The first start recovers from the kill; the others measure a clean start.
    readyMs: started[0]?.['readyMs'] ?? Number.NaN,
    openMs: median(started.slice(1).map(({ readyMs = Number.NaN }) => readyMs)),
    rebuildMs: rebuilt['rebuildMs'] ?? Number.NaN,
    rebuildPerSecond: (events / (rebuilt['rebuildMs'] ?? Number.NaN)) * 1_000,
    projectMs: rebuilt['projectMs'] ?? Number.NaN,
    openMb: last['openMb'] ?? Number.NaN,
    appendMb: filled['peakMb'] ?? Number.NaN,
    readMb: read['peakMb'] ?? Number.NaN,
    rebuildMb: rebuilt['peakMb'] ?? Number.NaN,
    peakMb: Math.max(...[filled, read, rebuilt].map((figures) => figures['peakMb'] ?? 0)),
  }
}

const ratio = (one = Number.NaN, other = Number.NaN): number => one / other

const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const COLUMNS = [
  ['events', 'events'],
  ['appendPerSecond', 'appended/s'],
  ['appendRatio', 'to empty'],
  ['readPerSecond', 'tail read/s'],
  ['readRatio', 'to empty'],
  ['bytesPerEvent', 'bytes/event'],
  ['readyMs', 'ready after kill, ms'],
  ['openMs', 'ready after stop, ms'],
  ['projectMs', 'projected, ms'],
  ['rebuildMs', 'rebuilt, ms'],
  ['rebuildPerSecond', 'rebuilt/s'],
  ['openMb', 'MB: open'],
  ['appendMb', 'append'],
  ['readMb', 'read'],
  ['rebuildMb', 'rebuild'],
] as const

const figureText = (name: string, value = Number.NaN): string =>
  name.endsWith('Ratio') ? value.toFixed(2) : grouped.format(value)

function tableText(sizes: readonly Metrics[]): string {
  const rows = [
    COLUMNS.map(([, title]) => title),
    ...sizes.map((figures) => COLUMNS.map(([name]) => figureText(name, figures[name]))),
  ]
  const widths = COLUMNS.map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)))
  return rows
    .map((row) => row.map((cell, at) => cell.padStart(widths[at] ?? 0)).join('  '))
    .join('\n')
}

interface Finding {
  readonly what: string
  readonly found: number
  readonly limit: string
  readonly isKept: boolean
}

function findingsOf(sizes: readonly Metrics[]): readonly Finding[] {
  const last = sizes.at(-1) ?? {}
  return LIMITS.map((limit) => {
    const { figure, what } = limit
    const found = last[figure] ?? Number.NaN
    if ('max' in limit) return { what, found, limit: `≤ ${limit.max}`, isKept: found <= limit.max }
    return { what, found, limit: `≥ ${limit.min}`, isKept: found >= limit.min }
  })
}

mkdirSync(values.directory, { recursive: true })
{
  using place = createScratchDirectory(values.directory)
  const root = place.path
  const machine = machineOf()
  const sizes: Metrics[] = []
  for (const total of SIZES.filter((size) => size <= Number(values.max))) {
    const scratch = join(root, `scratch-${total}`)
    mkdirSync(scratch)
    const figures = await sizeUp(join(root, 'data'), scratch, total)
    rmSync(scratch, { recursive: true })
    sizes.push(figures)
    process.stderr.write(`${grouped.format(total)} events: ${JSON.stringify(figures)}\n`)
  }
  const findings = findingsOf(sizes)
  if (values.json) console.log(JSON.stringify({ machine, sizes, findings }))
  else {
    console.log(`${machineText(machine)}\n\n${tableText(sizes)}\n`)
    for (const { what, found, limit, isKept } of findings)
      console.log(`${isKept ? 'met   ' : 'MISSED'}  ${what}: ${found.toFixed(2)}, ${limit}`)
  }
  process.exitCode = findings.every(({ isKept }) => isKept) ? 0 : 1
}
