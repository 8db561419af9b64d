// Measures what a dead letter with many events of its key behind it costs the other keys.
//
//   npm run bench:held -- [--stuck N] [--others N] [--rounds N] [--directory D] [--prototypes]
//
// The same log is processed with the dead letter and without it, one process after another. Ratios are by
// CPU time, which other load of the machine changes least. Exits with 1 if a limit is missed. With
// `--prototypes` it compares four ways to keep what waits instead: see decision 25.
import { cpSync, mkdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { measureInProcess } from '../../src/bench/measure-process.ts'
import type { Metrics } from '../../src/bench/metrics.ts'
import { median } from '../../src/bench/metrics.ts'
import { createScratchDirectory } from '../../src/bench/scratch-directory.ts'
import { bytesIn } from '../bytes-in.ts'
import { reportFindings } from '../findings.ts'
import { machineOf, machineText } from '../machine.ts'
import { comparePrototypes } from './prototypes.ts'

const { values } = parseArgs({
  options: {
    stuck: { type: 'string', default: '1000000' },
    others: { type: 'string', default: '200000' },
    rounds: { type: 'string', default: '3' },
    released: { type: 'string', default: '50000' },
    directory: { type: 'string', default: tmpdir() },
    prototypes: { type: 'boolean', default: false },
  },
})
const program = new URL('child.ts', import.meta.url)
/** As for a service with little memory; the heap is measured after a collection. */
const FLAGS = ['--max-semi-space-size=8', '--heap-growing-percent=50', '--expose-gc']
const [stuck, others] = [Number(values.stuck), Number(values.others)]

async function measure(scratch: string): Promise<void> {
  const filled = join(scratch, 'filled')
  const size = { stuck, others, released: Number(values.released) }
  await measureInProcess(program, 'fill', { ...size, directory: filled, isHeld: false }, FLAGS)
  const runs: Record<'held' | 'free', Metrics[]> = { held: [], free: [] }
  for (let round = 0; round < Number(values.rounds); round += 1)
    for (const name of round % 2 === 0
      ? (['held', 'free'] as const)
      : (['free', 'held'] as const)) {
      const directory = join(scratch, 'copy')
      cpSync(filled, directory, { recursive: true })
      const isHeld = name === 'held'
      const released = isHeld ? size.released : 0
      const options = { ...size, directory, isHeld, released }
      const run = await measureInProcess<Metrics>(program, 'run', options, FLAGS)
      const bytes = bytesIn(directory) - bytesIn(filled)
      runs[name].push({ ...run, bytes })
      process.stderr.write(`${name}: ${JSON.stringify({ ...run, bytes })}\n`)
      rmSync(directory, { recursive: true })
    }
  report(runs)
}

function report({ held, free }: Readonly<Record<'held' | 'free', readonly Metrics[]>>): void {
  const figureOf = (runs: readonly Metrics[], name: string): number =>
    median(runs.map((run) => run[name] ?? Number.NaN))
  const ratioOf = (name: string): number =>
    median(held.map((run, at) => (run[name] ?? Number.NaN) / (free[at]?.[name] ?? Number.NaN)))
  const bytesPerEvent = (figureOf(held, 'bytes') - figureOf(free, 'bytes')) / stuck
  const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
  for (const [name, runs] of [
    ['with the dead letter', held],
    ['without', free],
  ] as const)
    console.log(
      `${name}: ${grouped.format(figureOf(runs, 'perSecond'))} other events/s beside the stuck key,`,
      `${grouped.format(figureOf(runs, 'laterPerSecond'))}/s later,`,
      `${figureOf(runs, 'peakMb').toFixed(0)} MB at most`,
    )
  console.log(`disk for each event that waits: ${bytesPerEvent.toFixed(0)} bytes`)
  console.log(`released: ${grouped.format(figureOf(held, 'releasedPerSecond'))}/s\n`)
  const clockText = (name: string): string => `${ratioOf(name).toFixed(2)} by the clock`
  reportFindings([
    {
      // Each event of the stuck key is written a second time meanwhile.
      what: `other keys while the key fills up (${clockText('perSecond')})`,
      found: ratioOf('perCpuSecond'),
      limit: { min: 0.6 },
    },
    {
      what: `other keys later (${clockText('laterPerSecond')})`,
      found: ratioOf('laterPerCpuSecond'),
      limit: { min: 0.9 },
    },
    {
      what: 'MB of memory more than without the dead letter',
      found: figureOf(held, 'peakMb') - figureOf(free, 'peakMb'),
      limit: { max: 100 },
    },
    {
      what: 'MB that the heap grows from 10% to 90% of the events',
      found: figureOf(held, 'heapGrowthMb'),
      limit: { max: 16 },
    },
    { what: 'bytes on disk per event that waits', found: bytesPerEvent, limit: { max: 800 } },
  ])
}

mkdirSync(values.directory, { recursive: true })
{
  using scratch = createScratchDirectory(values.directory)
  console.log(`${machineText(machineOf())}\n`)
  if (values.prototypes) await comparePrototypes(scratch.path, Number(values.rounds))
  else await measure(scratch.path)
}
