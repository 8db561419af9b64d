import type { Paint } from './terminal.ts'

export interface Column {
  readonly title: string
  readonly isNumber?: boolean
}

/** Lines whose columns stand one below the other, also over several calls. */
export interface Table {
  head(): string
  lines(rows: readonly (readonly string[])[]): readonly string[]
}

const GAP = '  '

/** Columns are as wide as the widest text so far; lines are cut at `widthMax`. */
export function table(columns: readonly Column[], paint: Paint, widthMax?: number): Table {
  const widths = columns.map(({ title }) => title.length)
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
      const clean = rows.map((cells) => cells.map(printable))
      for (const cells of clean)
        for (const [at, cell] of cells.entries())
          widths[at] = Math.max(widths[at] ?? 0, cell.length)
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
  return text.length > widthMax ? `${text.slice(0, widthMax - 1)}…` : text
}

/** What comes out of the log must not steer the terminal. */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, (char) => {
    return `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`
  })
}
