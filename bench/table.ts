// The table of a run: every metric with its target.
import type { Metrics } from '../src/bench/metrics.ts'
import { median } from '../src/bench/metrics.ts'
import type { Measurement } from './measurements.ts'
import type { Row, Target } from './targets.ts'

/** The results of one measurement over all rounds. */
export interface MeasurementOutcome {
  readonly measurement: Measurement
  readonly versions: string
  readonly runs: readonly Metrics[]
  /** Why results are missing. */
  readonly failure?: string
}

export type Verdict = 'met' | 'missed' | 'not measured' | ''

/** A line of the table. */
export interface Line {
  readonly group: string
  readonly system: string
  readonly versions: string
  readonly durability: string
  readonly label: string
  readonly unit: string
  readonly median: number | null
  readonly least: number | null
  readonly most: number | null
  /** CPU time of the measuring process per event, without servers. */
  readonly cpuUs: number | null
  /** The engine's value divided by this one. */
  readonly ratio: number | null
  readonly target: string
  readonly verdict: Verdict
  readonly failure?: string
}

type Outcomes = ReadonlyMap<string, MeasurementOutcome>

const figuresOf = (outcomes: Outcomes, id: string, figure: string): readonly number[] =>
  (outcomes.get(id)?.runs ?? []).map((run) => run[figure] ?? Number.NaN).filter(Number.isFinite)

/** The lines of all rows that were measured. */
export function linesOf(rows: readonly Row[], outcomes: Outcomes): readonly Line[] {
  return rows.flatMap((row) => {
    const outcome = outcomes.get(row.measurement)
    return outcome ? [lineOf(row, outcome, outcomes)] : []
  })
}

function lineOf(row: Row, outcome: MeasurementOutcome, outcomes: Outcomes): Line {
  const { measurement, versions, failure } = outcome
  const { group, system, durability } = measurement
  const figures = figuresOf(outcomes, row.measurement, row.metric)
  const value = figures.length === 0 ? null : median(figures)
  const cpu = row.unit === 'ms' ? [] : figuresOf(outcomes, row.measurement, 'cpuUs')
  const { target } = row
  const against = target.kind === 'ratio' ? figuresOf(outcomes, target.of, row.metric) : []
  const ratio = value === null || against.length === 0 ? null : median(against) / value
  return {
    group,
    system,
    versions,
    durability,
    label: row.label ?? '',
    unit: row.unit,
    median: value,
    least: value === null ? null : Math.min(...figures),
    most: value === null ? null : Math.max(...figures),
    cpuUs: cpu.length === 0 ? null : median(cpu),
    ratio,
    target: targetText(target, row.unit),
    verdict: verdictOn(target, value, ratio),
    ...(failure === undefined ? {} : { failure }),
  }
}

function targetText(target: Target, unit: string): string {
  if (target.kind === 'ratio') return target.min === undefined ? '' : `≥ ${target.min} ×`
  if (target.kind === 'most') return target.max === undefined ? '' : `≤ ${target.max} ${unit}`
  return ''
}

function verdictOn(target: Target, value: number | null, ratio: number | null): Verdict {
  const judge = (found: number | null, isMet: (found: number) => boolean): Verdict => {
    if (found === null) return 'not measured'
    return isMet(found) ? 'met' : 'missed'
  }
  const { kind } = target
  if (kind === 'ratio' && target.min !== undefined) {
    const { min } = target
    return judge(ratio, (found) => found >= min)
  }
  if (kind === 'most' && target.max !== undefined) {
    const { max } = target
    return judge(value, (found) => found <= max)
  }
  return ''
}

const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })

function figureText(value: number | null, unit: string): string {
  if (value === null) return '–'
  return unit === 'ms' ? `${value.toFixed(value < 10 ? 1 : 0)} ms` : `${grouped.format(value)}/s`
}

const COLUMNS = ['', 'acks', 'median', 'least – most', 'CPU µs', 'ratio', 'target', ''] as const

/** The lines as text, in groups. */
export function tableText(lines: readonly Line[]): string {
  const cells = lines.map((line) => [
    `  ${line.label === '' ? line.system : line.label}`,
    line.label === '' ? line.durability : '',
    figureText(line.median, line.unit),
    line.median === null ? '' : spreadText(line),
    line.cpuUs === null ? '' : line.cpuUs.toFixed(1),
    line.ratio === null ? '' : `${line.ratio.toFixed(2)} ×`,
    line.target,
    line.verdict,
  ])
  const widths = COLUMNS.map((title, at) =>
    Math.max(title.length, ...cells.map((row) => row[at]?.length ?? 0)),
  )
  const text = (row: readonly string[]): string =>
    row
      .map((cell, at) => (at < 2 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join('  ')
      .trimEnd()
  const printed: string[] = [text(COLUMNS)]
  for (const [at, line] of lines.entries()) {
    if (line.group !== lines[at - 1]?.group) printed.push(line.group)
    printed.push(text(cells[at] ?? []))
    if (line.failure !== undefined) printed.push(`    ${line.failure}`)
  }
  return printed.join('\n')
}

function spreadText({ least, most, unit }: Line): string {
  const bare = (value: number | null): string => figureText(value, unit).replace(/ ms$|\/s$/, '')
  return `${bare(least)} – ${bare(most)}`
}
