import { styleText } from 'node:util'
import type { Io, Screen } from './environment.ts'
import type { ErrorView } from './exits.ts'
import { printableLines, printablePainted } from '../base/printable.ts'

/** Colours text for one screen; leaves it as it is where colours are not wanted. */
export type Paint = (style: Parameters<typeof styleText>[0], text: string) => string

/** What a command prints to. Whoever stops reading ends nothing but the printing. */
export interface Terminal {
  readonly cwd: string
  /** Told to stop from outside; absent where signals of the process do that. */
  readonly signal: AbortSignal | undefined
  /** Nobody reads the output any more. */
  readonly unread: AbortSignal
  /** Where the output is a terminal: how wide that is. */
  readonly columns: number | undefined
  /** For the output. */
  readonly paint: Paint
  /** A line of output. */
  print(line: string): void
  /** Resolves once the output can take more, or nobody reads it: what prints a lot waits for it. */
  drained(): Promise<void>
  /** A line beside the output: progress, hints, faults. */
  tell(line: string): void
  /** What went wrong, beside the output: as JSON where that was asked for. */
  fail(error: ErrorView, text: string): void
  /** A line beside the output that the next one replaces; only where somebody sees it. */
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
    // Some terminals say 0, which means that they do not know.
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

/** Writes until nobody reads any more, as in `throughline log … | head`. */
function writing(screen: Screen, gone: () => void): Writing {
  let isGone = false
  let isFull = false
  let wake: () => void = () => undefined
  // Stays: a pipe may say only after the last line that nobody was there to read it.
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
