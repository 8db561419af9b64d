// Measures what the ledger costs, in one run: this engine, the engine before it had statuses, and
// processors that write a status row for each event.
//
//   npm run bench:ledger -- [--events N] [--rounds N] [--before COMMIT] [--directory D]
//
// Each round measures all of them, one process after another, each with a copy of the same events and a
// consumer that reads them from the beginning. The median of the ratios of all rounds counts, by CPU time,
// since other load of the machine changes it least. Exits with 1 if a ratio misses its limit.
import { cpSync, mkdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { measureInProcess } from '../../src/bench/measure-process.ts'
import type { Metrics } from '../../src/bench/metrics.ts'
import { median } from '../../src/bench/metrics.ts'
import { createScratchDirectory } from '../../src/bench/scratch-directory.ts'
import { ROOT, checkOut } from '../checkout.ts'
import { reportFindings } from '../findings.ts'
import { machineOf, machineText } from '../machine.ts'

/** The last commit without statuses and progress ranges. */
const BEFORE = '06e354b'

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '200000' },
    rounds: { type: 'string', default: '7' },
    before: { type: 'string', default: BEFORE },
    directory: { type: 'string', default: tmpdir() },
  },
})
const events = Number(values.events)
const program = new URL('child.ts', import.meta.url)

type Figure = 'perSecond' | 'perCpuSecond'

interface Variant {
  readonly name: string
  readonly description: string
  readonly measure: 'project' | 'plain'
  readonly checkout: 'now' | 'before'
  readonly hasStatusRows?: boolean
}

const VARIANTS: readonly Variant[] = [
  {
    name: 'ranges',
    description: 'this engine: progress ranges',
    measure: 'project',
    checkout: 'now',
  },
  {
    name: 'before',
    description: `the engine of ${values.before}: no ledger`,
    measure: 'project',
    checkout: 'before',
  },
  {
    name: 'engineWithRows',
    description: 'this engine, and a status row per event',
    measure: 'project',
    checkout: 'now',
    hasStatusRows: true,
  },
  {
    name: 'plain',
    description: 'no engine and no rules: a unit per batch, progress ranges',
    measure: 'plain',
    checkout: 'now',
  },
  {
    name: 'plainWithRows',
    description: 'no engine and no rules: a unit per batch, a status row per event',
    measure: 'plain',
    checkout: 'now',
    hasStatusRows: true,
  },
]

mkdirSync(values.directory, { recursive: true })
{
  using scratch = createScratchDirectory(values.directory)
  console.log(`${machineText(machineOf())}\n`)
  const roots = { now: ROOT, before: checkOut(values.before, join(scratch.path, 'checkout')) }
  for (const checkout of ['now', 'before'] as const) {
    const options = { root: roots[checkout], directory: join(scratch.path, checkout), events }
    await measureInProcess<Metrics>(program, 'fill', options)
  }
  const runs = new Map<string, Metrics[]>(VARIANTS.map(({ name }) => [name, []]))
  for (let round = 0; round < Number(values.rounds); round += 1) {
    // Each goes first in turn, since what runs next to it may disturb it.
    const inTurn = VARIANTS.map((_, at) => VARIANTS[(at + round) % VARIANTS.length] as Variant)
    for (const { name: variant, measure, checkout, hasStatusRows = false } of inTurn) {
      const directory = join(scratch.path, 'copy')
      cpSync(join(scratch.path, checkout), directory, { recursive: true })
      const options = { root: roots[checkout], directory, events, hasStatusRows, name: 'reader' }
      runs.get(variant)?.push(await measureInProcess<Metrics>(program, measure, options))
      rmSync(directory, { recursive: true })
    }
    process.stderr.write(`round ${round + 1} of ${values.rounds}\n`)
  }
  const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
  const ratesOf = (name: string, figure: Figure): readonly number[] =>
    (runs.get(name) ?? []).map((run) => run[figure] ?? Number.NaN)
  for (const { name, description } of VARIANTS) {
    const all = ratesOf(name, 'perSecond').toSorted((a, b) => a - b)
    const spread = `${grouped.format(all[0] ?? 0)} – ${grouped.format(all.at(-1) ?? 0)}`
    const perCpuSecond = grouped.format(median(ratesOf(name, 'perCpuSecond')))
    console.log(`${grouped.format(median(all)).padStart(9)}/s  (${spread})`.padEnd(34), description)
    console.log(`${perCpuSecond.padStart(9)} per second of CPU time`)
  }
  const ratioOf = (one: string, other: string, figure: Figure): number => {
    const others = ratesOf(other, figure)
    return median(ratesOf(one, figure).map((rate, at) => rate / (others[at] ?? Number.NaN)))
  }
  const compare = (one: string, other: string): string =>
    `${ratioOf(one, other, 'perSecond').toFixed(2)} by the clock`
  console.log('')
  reportFindings([
    {
      what: `this engine beside the engine before (${compare('ranges', 'before')})`,
      found: ratioOf('ranges', 'before', 'perCpuSecond'),
      limit: { min: 0.9 },
    },
    {
      what: `a unit with ranges beside one with status rows (${compare('plain', 'plainWithRows')})`,
      found: ratioOf('plain', 'plainWithRows', 'perCpuSecond'),
      limit: { min: 3 },
    },
    {
      what: `this engine beside itself with status rows (${compare('ranges', 'engineWithRows')})`,
      found: ratioOf('ranges', 'engineWithRows', 'perCpuSecond'),
      // Rules, rows and JSON are most of its work: a status row doubles the rest.
      limit: { min: 1.7 },
    },
  ])
}
