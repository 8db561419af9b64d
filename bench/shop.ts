// Measures the shop on a file of orders, and fails if it misses its limits.
//
//   npm run bench:shop -- --orders FILE[.gz] [--runs N]
//
// Each run is a process of its own with a new data directory, synced before every ack. The limits are
// for the whole real file (12,468 invoices) on two cores; the median of the runs counts.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const LIMITS = { elapsedMs: 8_000, peakMemoryBytes: 400_000_000 } as const
type Figure = keyof typeof LIMITS

const { values } = parseArgs({
  options: { orders: { type: 'string' }, runs: { type: 'string', default: '3' } },
})
const root = mkdtempSync(join(tmpdir(), 'throughline-bench-'))
const args = ['start', '--silent', '--', '--once', '--json']
if (values.orders !== undefined) args.push('--orders', values.orders)

function measure(run: number): Readonly<Record<Figure | 'eventsPerSecond', number>> {
  const directory = join(root, `run-${run}`)
  const { status, stdout } = spawnSync('npm', [...args, '--data', directory], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    shell: process.platform === 'win32',
  })
  if (status !== 0) throw new Error(`the shop ended with ${status}`)
  rmSync(directory, { recursive: true })
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as ReturnType<typeof measure>
}

const median = (figures: readonly number[]): number =>
  figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)] ?? Number.NaN

try {
  const runs = Array.from({ length: Number(values.runs) }, (_, run) => measure(run))
  for (const { elapsedMs, eventsPerSecond, peakMemoryBytes } of runs)
    console.log(JSON.stringify({ elapsedMs, eventsPerSecond, peakMemoryBytes }))
  for (const figure of Object.keys(LIMITS) as Figure[]) {
    const value = median(runs.map((run) => run[figure]))
    const isKept = value <= LIMITS[figure]
    console.log(`${figure}: ${value}, limit ${LIMITS[figure]}: ${isKept ? 'ok' : 'FAILED'}`)
    if (!isKept) process.exitCode = 1
  }
} finally {
  rmSync(root, { recursive: true })
}
