import { accessSync, constants } from 'node:fs'
import { resolve } from 'node:path'
import { Fault } from '../../base/fault.ts'
import type { EngineMeasurement } from '../../bench/engine.ts'
import { ENGINE_MEASUREMENTS, measureEngine } from '../../bench/engine.ts'
import type { Figures } from '../../bench/figures.ts'
import { placeIn } from '../../bench/place.ts'
import type { Command } from '../command.ts'
import { countText } from '../figures.ts'
import { tableText } from '../table.ts'

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
  mustBeUsable(directory, flags.seconds)
  using place = placeIn(directory)
  const measured: Record<string, Figures> = {}
  const rows: (readonly string[])[] = []
  for (const each of ENGINE_MEASUREMENTS) {
    terminal.show(`${rows.length + 1} of ${ENGINE_MEASUREMENTS.length}: ${each.what}`)
    const figures = await measureEngine(each, place.path, flags.seconds)
    measured[each.name] = figures
    rows.push(rowOf(each, figures))
  }
  terminal.show('')
  if (flags.json) {
    terminal.print(JSON.stringify({ directory, seconds: flags.seconds, measured }))
    return 0
  }
  terminal.print(tableText(COLUMNS, rows, terminal.paint))
  terminal.print('\nEvery append is synced to disk before its ack. An event has 150 bytes of JSON.')
  return 0
}

/** @throws Fault `OPTION_INVALID` */
function mustBeUsable(directory: string, seconds: number): void {
  const complaints: { readonly path: string; readonly message: string }[] = []
  try {
    accessSync(directory, constants.W_OK)
  } catch {
    complaints.push({ path: '--directory', message: 'must be a writable directory' })
  }
  if (seconds < 1 || seconds > SECONDS_MAX)
    complaints.push({ path: '--seconds', message: `must be from 1 to ${SECONDS_MAX}` })
  if (complaints.length > 0) throw new Fault('OPTION_INVALID', { detail: 'bench', complaints })
}

function rowOf({ what, latency }: EngineMeasurement, figures: Figures): readonly string[] {
  const rate = countText(Math.round(figures['perSecond'] ?? 0))
  const times = ['P50Ms', 'P99Ms', 'MaxMs'].map((name) => {
    const ms = latency === undefined ? undefined : figures[latency + name]
    return ms === undefined ? '' : ms.toFixed(ms < 10 ? 2 : 0)
  })
  return [what, rate, ...times]
}
