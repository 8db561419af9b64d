import { printable } from '../../base/text/printable.ts'
import type { Paint } from './terminal.ts'

export interface Column {
  readonly title: string
  readonly isNumber?: boolean
  /** Limits the width of text from outside, such as keys. Default: as wide as its widest cell. */
  readonly widthMax?: number
}

/** A table whose columns stay aligned over several calls of `lines`. */
export interface Table {
  head(): string
  lines(rows: readonly (readonly string[])[]): readonly string[]
}

const GAP = '  '

/** Minimum widths on a narrow terminal: of a limited column, and of the last column. */
const SHRUNK_MIN = 6
const LAST_MIN = 20

/**
 * Columns are as wide as the widest text so far, up to their limit. A longer text shifts only the rest
 * of its own line. With `widthMax`, on a terminal, long texts are truncated and limited columns shrink,
 * the widest first, so that the columns behind them stay visible.
 */
export function table(columns: readonly Column[], paint: Paint, widthMax?: number): Table {
  const titles = columns.map(({ title }) => title)
  const widest = titles.map(({ length }) => length)
  const line = (cells: readonly string[], widths: readonly number[]): string => {
    const padded = cells.map((cell, at) => {
      const width = widths[at] ?? 0
      const isCut = widthMax !== undefined && columns[at]?.widthMax !== undefined
      const text = isCut ? truncate(cell, width) : cell
      return columns[at]?.isNumber ? text.padStart(width) : text.padEnd(width)
    })
    return truncate(padded.join(GAP).trimEnd(), widthMax)
  }
  const widthsNow = (): readonly number[] => fitWidths(columns, widest, widthMax)
  return {
    head: () => paint('bold', line(titles, widthsNow())),
    lines(rows) {
      const clean = rows.map((cells) => cells.map(printable))
      for (const cells of clean)
        for (const [at, cell] of cells.entries()) {
          const limit = columns[at]?.widthMax ?? Infinity
          widest[at] = Math.max(widest[at] ?? 0, Math.min(cell.length, limit))
        }
      const widths = widthsNow()
      return clean.map((cells) => line(cells, widths))
    },
  }
}

/** Shrinks limited columns until a line fits into `widthMax`, as far as that is possible. */
function fitWidths(
  columns: readonly Column[],
  widest: readonly number[],
  widthMax = Infinity,
): readonly number[] {
  const widthsBy = (limit: number): readonly number[] =>
    widest.map((width, at) => {
      const { title, widthMax: own } = columns[at] as Column
      return own === undefined ? width : Math.min(width, Math.max(limit, title.length))
    })
  const sizeOf = (widths: readonly number[]): number =>
    widths.reduce((sum, width, at) => {
      const isLast = at === widths.length - 1
      return sum + (isLast ? Math.min(width, LAST_MIN) : width + GAP.length)
    }, 0)
  let limit = Math.max(...widest)
  while (limit > SHRUNK_MIN && sizeOf(widthsBy(limit)) > widthMax) limit -= 1
  return widthsBy(limit)
}

/** A whole table with its head. */
export function tableText(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  paint: Paint,
): string {
  const whole = table(columns, paint)
  const lines = whole.lines(rows)
  return [whole.head(), ...lines].join('\n')
}

export function truncate(text: string, widthMax = Infinity): string {
  if (text.length <= widthMax) return text
  // Do not split a surrogate pair.
  const end = widthMax - 1
  const isBetween = /[\ud800-\udbff]/.test(text[end - 1] ?? '')
  return `${text.slice(0, isBetween ? end - 1 : end)}…`
}
