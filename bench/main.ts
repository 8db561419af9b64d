// Measures the engine and its peers, and prints one table.
//
//   npm run bench -- [--rounds N] [--seconds N] [--quick] [--only WORD,…] [--json] [--strict]
//                    [--directory D]
//
// Each round measures everything once, one process after another; the medians of all rounds count.
// Missing servers are installed; a server runs only during its measurement. Exits with 1 if a target is
// missed. A peer that could not be measured is reported; with `--strict`, it is a failure.
import { mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Metrics } from '../src/bench/metrics.ts'
import { createScratchDirectory } from '../src/bench/scratch-directory.ts'
import { machineOf, machineText } from './machine.ts'
import type { BenchDirectories, Measurement, Pace } from './measurements.ts'
import { MEASUREMENTS, measure, versionsOf } from './measurements.ts'
import { installPackages } from './peers/packages.ts'
import type { Line, MeasurementOutcome } from './table.ts'
import { linesOf, tableText } from './table.ts'
import { ROWS } from './targets.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
    strict: { type: 'boolean', default: false },
    directory: { type: 'string', default: tmpdir() },
  },
})

const usual = values.quick
  ? { rounds: 1, seconds: 2, rows: 50_000 }
  : { rounds: 5, seconds: 3, rows: 200_000 }
const rounds = Number(values.rounds ?? usual.rounds)
const seconds = Number(values.seconds ?? usual.seconds)
const pace: Pace = { seconds, warmUpSeconds: values.quick ? 0.5 : 1, rows: usual.rows }
const tell = (text: string): void => void process.stderr.write(`${text}\n`)

/** The measurements for `--only`, with those that they are compared with. */
function chosen(): readonly Measurement[] {
  const words = values.only?.split(',')
  if (!words) return MEASUREMENTS
  const ids = new Set(
    MEASUREMENTS.filter(({ id }) => words.some((word) => id.includes(word))).map(({ id }) => id),
  )
  for (const { measurement, target } of ROWS)
    if (ids.has(measurement) && target.kind === 'ratio') ids.add(target.of)
  return MEASUREMENTS.filter(({ id }) => ids.has(id))
}

interface Gathered {
  readonly runs: Metrics[]
  versions: string
  /** It cannot be measured at all. */
  isAbsent?: boolean
  failure?: string
}

const reason = (cause: unknown): string => {
  const text = cause instanceof Error ? cause.message : String(cause)
  return text.split('\n').slice(0, 2).join(' ').slice(0, 200)
}

async function prepare(measurements: readonly Measurement[]): Promise<Map<string, Gathered>> {
  const gathered = new Map<string, Gathered>()
  let missing: string | undefined
  if (measurements.some((each) => each.package !== undefined))
    await installPackages().catch((cause: unknown) => {
      missing = `its package could not be installed: ${reason(cause)}`
    })
  for (const measurement of measurements) {
    const each: Gathered = { runs: [], versions: '' }
    const absent = (failure: string): void => void Object.assign(each, { failure, isAbsent: true })
    gathered.set(measurement.id, each)
    if (measurement.package !== undefined && missing !== undefined) absent(missing)
    try {
      each.versions = await versionsOf(measurement)
    } catch (cause) {
      absent(`${measurement.server?.name} is not available: ${reason(cause)}`)
    }
  }
  return gathered
}

async function run(ground: BenchDirectories): Promise<ReadonlyMap<string, MeasurementOutcome>> {
  const measurements = chosen()
  const gathered = await prepare(measurements)
  for (let round = 1; round <= rounds; round += 1)
    for (const measurement of measurements) {
      const each = gathered.get(measurement.id) as Gathered
      if (each.isAbsent) continue
      try {
        const figures = await measure(measurement, ground, pace)
        if (!(figures['perSecond']! > 0)) throw new Error('no event was finished in time')
        each.runs.push(figures)
        tell(
          `round ${round} of ${rounds}, ${measurement.id}: ${Math.round(figures['perSecond'] ?? 0)}/s`,
        )
      } catch (cause) {
        each.failure = `round ${round}: ${reason(cause)}`
        tell(`${measurement.id}, ${each.failure}`)
      }
    }
  return new Map(
    measurements.map((measurement) => [
      measurement.id,
      { measurement, ...(gathered.get(measurement.id) as Gathered) },
    ]),
  )
}

function exitCodeOf(lines: readonly Line[]): number {
  const isMissed = lines.some(({ verdict }) => verdict === 'missed')
  // A failure of the engine always counts; a failure of a peer only with --strict.
  const isBroken = lines.some(
    ({ failure, system }) =>
      failure !== undefined && (values.strict || system.startsWith('throughline')),
  )
  return isMissed || isBroken ? 1 : 0
}

mkdirSync(values.directory, { recursive: true })
{
  using place = createScratchDirectory(values.directory)
  const root = place.path
  const machine = machineOf()
  const outcomes = await run({ root, rows: join(root, 'rows') })
  const lines = linesOf(ROWS, outcomes)
  if (values.json) console.log(JSON.stringify({ machine, rounds, ...pace, lines }))
  else {
    const versions = new Set([...outcomes.values()].map((outcome) => outcome.versions))
    console.log(machineText(machine))
    console.log([...versions].filter((version) => version !== '').join('\n'))
    console.log(`rounds: ${rounds}, of ${seconds} s each; payloads of 150 bytes\n`)
    console.log(tableText(lines))
    console.log('\nratio: the value of throughline in the same group, divided by this one')
    console.log('CPU µs: CPU time of the measuring process per event, without servers')
  }
  process.exitCode = exitCodeOf(lines)
}
