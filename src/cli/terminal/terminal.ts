import { styleText } from 'node:util'
import type { Io, OutputStream } from './environment.ts'
import type { ErrorView } from './exit-codes.ts'
import { printableLines, printableStyled } from '../../base/text/printable.ts'

/** Colours text for a terminal; returns it unchanged if colours are off. */
export type Paint = (style: Parameters<typeof styleText>[0], text: string) => string

/** The output of a command. If the reader closes the pipe, printing stops without an error. */
export interface Terminal {
  readonly cwd: string
  /** Aborts to stop the command; absent if signals of the process do that. */
  readonly signal: AbortSignal | undefined
  /** Aborts once the reader has closed the output. */
  readonly outputClosed: AbortSignal
  /** The width of the output, if it is a terminal. */
  readonly columns: number | undefined
  readonly paint: Paint
  /** Prints a line to stdout. */
  print(line: string): void
  /** Resolves once stdout can take more or is closed. Await it between large amounts of output. */
  drained(): Promise<void>
  /** Prints a line to stderr: notes and hints. */
  notice(line: string): void
  /** Prints an error to stderr, as JSON with `--json`. */
  error(error: ErrorView, text: string): void
  /** Whether somebody can answer. */
  readonly canAsk: boolean
  /** Asks; if nobody can answer, the answer is yes. */
  confirm(question: string): Promise<boolean>
  /** Prints a line to stderr that the next one replaces; only on a terminal. */
  progress(line: string): void
}

export function createTerminal(io: Io, isJson = false): Terminal {
  const { stdout, stderr, cwd, env, signal, ask } = io
  const outputClosed = new AbortController()
  const out = createWriter(stdout, () => outputClosed.abort())
  const err = createWriter(stderr, () => undefined)
  const wantsNone = (env['NO_COLOR'] ?? '') !== ''
  const isColoured = stdout.isTTY === true && !wantsNone
  const notice = (line: string): void => err.write(`${printableLines(line)}\n`)
  return {
    cwd,
    signal,
    outputClosed: outputClosed.signal,
    // Some terminals report 0 for an unknown width.
    columns: stdout.isTTY ? stdout.columns || undefined : undefined,
    paint: (style, text) => (isColoured ? styleText(style, text, { validateStream: false }) : text),
    print: (line) => out.write(`${printableStyled(line)}\n`),
    drained: () => out.drained(),
    notice,
    error: (error, text) => notice(isJson ? JSON.stringify({ error }) : text),
    canAsk: ask !== undefined,
    confirm: async (question) =>
      !ask || /^y(?:es)?$/i.test((await ask(`${printableLines(question)} [y/N] `)).trim()),
    progress(line) {
      if (stderr.isTTY) err.write(`\r\u001b[K${line}`)
    },
  }
}

interface Writer {
  write(text: string): void
  drained(): Promise<void>
}

/** Writes until the reader closes the stream, as in `throughline log … | head`. */
function createWriter(screen: OutputStream, onClosed: () => void): Writer {
  let isClosed = false
  let isFull = false
  let wake: () => void = () => undefined
  // Never removed: a pipe may report EPIPE only after the last line.
  screen.on('error', (cause) => {
    if ((cause as NodeJS.ErrnoException).code !== 'EPIPE') throw cause
    isClosed = true
    wake()
    onClosed()
  })
  return {
    write(text) {
      if (isClosed || screen.write(text) !== false || isFull || !screen.once) return
      isFull = true
      screen.once('drain', () => {
        isFull = false
        wake()
      })
    },
    drained: () =>
      new Promise((resolve) => {
        if (isClosed || !isFull) resolve()
        else wake = resolve
      }),
  }
}
