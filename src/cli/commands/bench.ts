import { accessSync, constants } from 'node:fs'
import { resolve } from 'node:path'
import { Fault } from '../../base/errors/fault.ts'
import type { EngineMeasurement } from '../../bench/engine.ts'
import { ENGINE_MEASUREMENTS, measureEngine } from '../../bench/engine.ts'
import type { Metrics } from '../../bench/metrics.ts'
import { createScratchDirectory } from '../../bench/scratch-directory.ts'
import type { Command } from '../shared/command.ts'
import { countText } from '../terminal/format.ts'
import { tableText } from '../terminal/table.ts'

const SECONDS_MAX = 600

const COLUMNS = [
  { title: 'measurement' },
  { title: 'per second', isNumber: true },
  { title: 'p50 ms', isNumber: true },
  { title: 'p99 ms', isNumber: true },
  { title: 'max ms', isNumber: true },
]

export const bench: Command = async ({ terminal, flags }) => {
  const directory = resolve(terminal.cwd, flags.directory)
  validateOptions(directory, flags.seconds)
  using place = createScratchDirectory(directory)
  const measured: Record<string, Metrics> = {}
  const rows: (readonly string[])[] = []
  for (const each of ENGINE_MEASUREMENTS) {
    terminal.progress(`${rows.length + 1} of ${ENGINE_MEASUREMENTS.length}: ${each.description}`)
    const figures = await measureEngine(each, place.path, flags.seconds)
    measured[each.name] = figures
    rows.push(rowOf(each, figures))
  }
  terminal.progress('')
  if (flags.json) {
    terminal.print(JSON.stringify({ directory, seconds: flags.seconds, measured }))
    return 0
  }
  terminal.print(tableText(COLUMNS, rows, terminal.paint))
  terminal.print('\nEvery append is synced to disk before its ack. An event has 150 bytes of JSON.')
  return 0
}

/** @throws Fault `OPTION_INVALID` */
function validateOptions(directory: string, seconds: number): void {
  const issues: { readonly path: string; readonly message: string }[] = []
  try {
    accessSync(directory, constants.W_OK)
  } catch {
    issues.push({ path: '--directory', message: 'must be a writable directory' })
  }
  if (seconds < 1 || seconds > SECONDS_MAX)
    issues.push({ path: '--seconds', message: `must be from 1 to ${SECONDS_MAX}` })
  if (issues.length > 0) throw new Fault('OPTION_INVALID', { detail: 'bench', issues })
}

function rowOf({ description, latency }: EngineMeasurement, figures: Metrics): readonly string[] {
  const rate = countText(Math.round(figures['perSecond'] ?? 0))
  const times = ['P50Ms', 'P99Ms', 'MaxMs'].map((name) => {
    const ms = latency === undefined ? undefined : figures[latency + name]
    return ms === undefined ? '' : ms.toFixed(ms < 10 ? 2 : 0)
  })
  return [description, rate, ...times]
}
