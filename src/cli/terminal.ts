import { styleText } from 'node:util'
import type { Io, Screen } from './environment.ts'
import type { ErrorView } from './exits.ts'
import { printableLines, printablePainted } from '../base/printable.ts'

/** Colours text for a terminal; returns it unchanged if colours are off. */
export type Paint = (style: Parameters<typeof styleText>[0], text: string) => string

/** The output of a command. If the reader closes the pipe, printing stops without an error. */
export interface Terminal {
  readonly cwd: string
  /** Aborts to stop the command; absent if signals of the process do that. */
  readonly signal: AbortSignal | undefined
  /** Aborts once the reader has closed the output. */
  readonly unread: AbortSignal
  /** The width of the output, if it is a terminal. */
  readonly columns: number | undefined
  readonly paint: Paint
  /** Prints a line to stdout. */
  print(line: string): void
  /** Resolves once stdout can take more or is closed. Await it between large amounts of output. */
  drained(): Promise<void>
  /** Prints a line to stderr: notes and hints. */
  tell(line: string): void
  /** Prints an error to stderr, as JSON with `--json`. */
  fail(error: ErrorView, text: string): void
  /** Prints a line to stderr that the next one replaces; only on a terminal. */
  show(line: string): void
}

export function terminalOf({ stdout, stderr, cwd, env, signal }: Io, isJson = false): Terminal {
  const unread = new AbortController()
  const out = writing(stdout, () => unread.abort())
  const err = writing(stderr, () => undefined)
  const wantsNone = (env['NO_COLOR'] ?? '') !== ''
  const isColoured = stdout.isTTY === true && !wantsNone
  const tell = (line: string): void => err.write(`${printableLines(line)}\n`)
  return {
    cwd,
    signal,
    unread: unread.signal,
    // Some terminals report 0 for an unknown width.
    columns: stdout.isTTY ? stdout.columns || undefined : undefined,
    paint: (style, text) => (isColoured ? styleText(style, text, { validateStream: false }) : text),
    print: (line) => out.write(`${printablePainted(line)}\n`),
    drained: () => out.drained(),
    tell,
    fail: (error, text) => tell(isJson ? JSON.stringify({ error }) : text),
    show(line) {
      if (stderr.isTTY) err.write(`\r\u001b[K${line}`)
    },
  }
}

interface Writing {
  write(text: string): void
  drained(): Promise<void>
}

/** Writes until the reader closes the stream, as in `throughline log … | head`. */
function writing(screen: Screen, gone: () => void): Writing {
  let isGone = false
  let isFull = false
  let wake: () => void = () => undefined
  // Never removed: a pipe may report EPIPE only after the last line.
  screen.on('error', (cause) => {
    if ((cause as NodeJS.ErrnoException).code !== 'EPIPE') throw cause
    isGone = true
    wake()
    gone()
  })
  return {
    write(text) {
      if (isGone || screen.write(text) !== false || isFull || !screen.once) return
      isFull = true
      screen.once('drain', () => {
        isFull = false
        wake()
      })
    },
    drained: () =>
      new Promise((resolve) => {
        if (isGone || !isFull) resolve()
        else wake = resolve
      }),
  }
}
