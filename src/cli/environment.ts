// The one file that asks the process for its environment.

/** Where text goes. */
export interface Screen {
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
  /** `false` when the reader is slower: what it has not taken is kept. */
  write(text: string): unknown
  on(event: 'error', hear: (cause: Error) => void): unknown
  /** Told once what `write` has kept is written. */
  once?(event: 'drain', hear: () => void): unknown
}

/** What the command line gets from outside. */
export interface Io {
  readonly stdout: Screen
  readonly stderr: Screen
  /** Relative paths begin here. */
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Ends what would run until it is told to stop. Default: signals of the process do. */
  readonly signal?: AbortSignal
}

/**
 * Ends the process once everything that was printed has gone out, whatever else is left open: by a
 * module that a command has imported, or by a handler that has not ended.
 */
export async function endProcess(code: number): Promise<void> {
  for (const screen of [process.stdout, process.stderr])
    await new Promise<void>((resolve) => void screen.write('', () => resolve()))
  process.exit(code)
}

/** Hears how the process comes to an end before what it waits for is there. */
export interface EarlyEnd {
  /** Nothing is left that could go on. What is begun here goes on. */
  onIdle(): void
  /** The process ends now: by this exit code, whatever it was to be. */
  onExit(): number
}

/** Watches for an early end of the process. Answers what ends that. */
export function onEarlyEnd({ onIdle, onExit }: EarlyEnd): () => void {
  const exit = (): void => void (process.exitCode = onExit())
  process.on('beforeExit', onIdle)
  process.on('exit', exit)
  return () => {
    process.off('beforeExit', onIdle)
    process.off('exit', exit)
  }
}

export function processIo(): Io {
  const { stdout, stderr, env } = process
  return { stdout, stderr, env, cwd: process.cwd() }
}
