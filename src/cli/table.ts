import { printable } from './printable.ts'
import type { Paint } from './terminal.ts'

export interface Column {
  readonly title: string
  readonly isNumber?: boolean
  /** How wide it may get by text from outside, such as keys. Default: as wide as its widest. */
  readonly widthMax?: number
}

/** Lines whose columns stand one below the other, also over several calls. */
export interface Table {
  head(): string
  lines(rows: readonly (readonly string[])[]): readonly string[]
}

const GAP = '  '

/**
 * Columns are as wide as the widest text so far, up to their limit. A text beyond it pushes only what
 * follows it in its own line; where lines are cut at `widthMax`, on a terminal, it is cut, too.
 */
export function table(columns: readonly Column[], paint: Paint, widthMax?: number): Table {
  const widths = columns.map(({ title }) => title.length)
  const limitOf = (at: number): number => columns[at]?.widthMax ?? Infinity
  const cellOf = (text: string, at: number): string =>
    cut(printable(text), widthMax === undefined ? Infinity : limitOf(at))
  const line = (cells: readonly string[]): string => {
    const padded = cells.map((cell, at) => {
      const width = widths[at] ?? 0
      return columns[at]?.isNumber ? cell.padStart(width) : cell.padEnd(width)
    })
    return cut(padded.join(GAP).trimEnd(), widthMax)
  }
  return {
    head: () => paint('bold', line(columns.map(({ title }) => title))),
    lines(rows) {
      const clean = rows.map((cells) => cells.map(cellOf))
      for (const cells of clean)
        for (const [at, cell] of cells.entries())
          widths[at] = Math.max(widths[at] ?? 0, Math.min(cell.length, limitOf(at)))
      return clean.map(line)
    },
  }
}

/** All of a table at once, its head first. */
export function tableText(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  paint: Paint,
): string {
  const whole = table(columns, paint)
  const lines = whole.lines(rows)
  return [whole.head(), ...lines].join('\n')
}

export function cut(text: string, widthMax = Infinity): string {
  if (text.length <= widthMax) return text
  // Between the halves of a character there is nothing to cut.
  const end = widthMax - 1
  const isBetween = /[\ud800-\udbff]/.test(text[end - 1] ?? '')
  return `${text.slice(0, isBetween ? end - 1 : end)}…`
}
