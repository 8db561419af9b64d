// The only file that reads the environment of the process.
import { createInterface } from 'node:readline/promises'

/** The part of a writable stream that the command line needs. */
export interface OutputStream {
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
  /** Returns `false` while the buffer is full; the text is buffered all the same. */
  write(text: string): unknown
  on(event: 'error', hear: (cause: Error) => void): unknown
  /** `drain` is emitted once the buffer is empty. */
  once?(event: 'drain', hear: () => void): unknown
}

/** The environment of the command line. */
export interface Io {
  readonly stdout: OutputStream
  readonly stderr: OutputStream
  /** The directory that relative paths start from. */
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Asks the user and returns the answer, empty at the end of the input; absent if nobody can answer. */
  readonly ask?: (question: string) => Promise<string>
  /** Stops a command that would run forever. Default: signals of the process. */
  readonly signal?: AbortSignal
}

/**
 * Ends the process once all output is written, even if something keeps it alive, such as an imported
 * module or a handler that has not ended.
 */
export async function endProcess(code: number): Promise<void> {
  for (const screen of [process.stdout, process.stderr])
    await new Promise<void>((resolve) => void screen.write('', () => resolve()))
  process.exit(code)
}

/** Callbacks for a process that ends before a pending import has finished. */
export interface EarlyExit {
  /** The event loop is empty. Work that starts here keeps the process alive. */
  onIdle(): void
  /** The process exits. Returns the exit code to use. */
  onExit(): number
}

/** Watches for an early exit of the process. Returns a function that stops watching. */
export function onEarlyExit({ onIdle, onExit }: EarlyExit): () => void {
  const exit = (): void => void (process.exitCode = onExit())
  process.on('beforeExit', onIdle)
  process.on('exit', exit)
  return () => {
    process.off('beforeExit', onIdle)
    process.off('exit', exit)
  }
}

export function processIo(): Io {
  const { stdin, stdout, stderr, env } = process
  const canAsk = stdin.isTTY && stderr.isTTY
  return { stdout, stderr, env, cwd: process.cwd(), ...(canAsk ? { ask } : {}) }
}

function ask(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  return new Promise((resolve) => {
    lines.once('close', () => resolve(''))
    void lines.question(question).then((answer) => {
      resolve(answer)
      lines.close()
    })
  })
}
