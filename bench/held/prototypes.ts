// Compares four ways to keep the events that wait behind a dead letter, and prints one table.
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { measureInProcess } from '../../src/bench/measure-process.ts'
import type { Metrics } from '../../src/bench/metrics.ts'
import { median } from '../../src/bench/metrics.ts'
import { bytesIn } from '../bytes-in.ts'

const program = new URL('prototype.child.ts', import.meta.url)
const WAYS = ['copies', 'pages', 'places', 'scan'] as const

/** Events of the stuck key, and of others: once most of a log, and once little of it. */
const SHARES = [
  { name: 'most of the log', stuck: 200_000, others: 40_000 },
  { name: 'one of 500', stuck: 500, others: 249_500 },
] as const

const COLUMNS = [
  ['passPerSecond', 'passed/s'],
  ['passCpuUs', 'CPU µs'],
  ['bytesPerHeld', 'bytes/held'],
  ['releasePerSecond', 'released/s'],
  ['releaseCpuUs', 'CPU µs'],
  ['readPerReleased', 'read/released'],
] as const

export async function comparePrototypes(scratch: string, rounds: number): Promise<void> {
  for (const { name, stuck, others } of SHARES) {
    const filled = join(scratch, name)
    await measureInProcess(program, 'fill', { directory: filled, stuck, others })
    const runs = new Map<string, Metrics[]>(WAYS.map((way) => [way, []]))
    for (let round = 0; round < rounds; round += 1)
      for (const way of WAYS) {
        const directory = join(scratch, 'copy')
        cpSync(filled, directory, { recursive: true })
        const passed = await measureInProcess<Metrics>(program, 'pass', { directory, way })
        const bytesPerHeld = (bytesIn(directory) - bytesIn(filled)) / stuck
        const released = await measureInProcess<Metrics>(program, 'release', { directory, way })
        runs.get(way)?.push({ ...passed, ...released, bytesPerHeld })
        rmSync(directory, { recursive: true })
      }
    console.log(`${name}: ${stuck} events of the stuck key, ${others} of others`)
    const cells = [
      ['', ...COLUMNS.map(([, title]) => title)],
      ...WAYS.map((way) => [
        way,
        ...COLUMNS.map(([figure]) => {
          const found = median((runs.get(way) ?? []).map((run) => run[figure] ?? Number.NaN))
          return found.toFixed(found < 100 ? 1 : 0)
        }),
      ]),
    ]
    console.log(cells.map((row) => row.map((cell) => cell.padStart(13)).join('')).join('\n'))
    console.log('')
  }
}
