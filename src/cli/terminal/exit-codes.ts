import { Fault } from '../../base/errors/fault.ts'

/** The exit codes. A second signal ends `run` at once, with 130 or 143. */
export const EXIT_CODES = {
  ok: { code: 0, meaning: 'success' },
  failed: { code: 1, meaning: 'an error, or a check that found a problem' },
  usage: { code: 2, meaning: 'wrong usage: nothing was done' },
  retryLater: { code: 69, meaning: 'try again later: the port or the data is in use' },
  nodeTooOld: { code: 78, meaning: 'this Node.js is too old' },
} as const satisfies Record<string, { code: number; meaning: string }>

/** The exit code for a thrown error. */
export function exitCodeOf(cause: unknown): number {
  if (!(cause instanceof Fault)) return EXIT_CODES.failed.code
  if (cause.code === 'OPTION_INVALID') return EXIT_CODES.usage.code
  return cause.retryable ? EXIT_CODES.retryLater.code : EXIT_CODES.failed.code
}

/** A thrown error as `--json` prints it. */
export interface ErrorView {
  readonly code: string
  readonly message: string
  readonly issues: Fault['issues']
  readonly ids: Fault['ids']
}

export function errorView(cause: unknown): ErrorView {
  if (cause instanceof Fault) {
    const { code, message, issues, ids } = cause
    return { code, message, issues, ids }
  }
  const message = cause instanceof Error ? cause.message : String(cause)
  return { code: 'INTERNAL', message, issues: [], ids: {} }
}

/** A thrown error as text. An error that is not a `Fault` comes with its stack. */
export function errorText(cause: unknown): string {
  if (cause instanceof Fault) return cause.message
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
}
