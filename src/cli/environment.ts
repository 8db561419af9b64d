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

export function processIo(): Io {
  const { stdout, stderr, env } = process
  return { stdout, stderr, env, cwd: process.cwd() }
}
