import { Fault } from '../base/fault.ts'

/** The exit codes. A second signal ends `run` at once, with 130 or 143. */
export const EXITS = {
  fine: { code: 0, meaning: 'success' },
  wrong: { code: 1, meaning: 'an error, or a check that found a problem' },
  usage: { code: 2, meaning: 'wrong usage: nothing was done' },
  later: { code: 69, meaning: 'try again later: the port or the data is in use' },
  tooOld: { code: 78, meaning: 'this Node.js is too old' },
} as const satisfies Record<string, { code: number; meaning: string }>

/** The exit code for a thrown error. */
export function exitOf(cause: unknown): number {
  if (!(cause instanceof Fault)) return EXITS.wrong.code
  if (cause.code === 'OPTION_INVALID') return EXITS.usage.code
  return cause.retryable ? EXITS.later.code : EXITS.wrong.code
}

/** A thrown error as `--json` prints it. */
export interface ErrorView {
  readonly code: string
  readonly message: string
  readonly complaints: Fault['complaints']
  readonly ids: Fault['ids']
}

export function errorView(cause: unknown): ErrorView {
  if (cause instanceof Fault) {
    const { code, message, complaints, ids } = cause
    return { code, message, complaints, ids }
  }
  const message = cause instanceof Error ? cause.message : String(cause)
  return { code: 'INTERNAL', message, complaints: [], ids: {} }
}

/** A thrown error as text. An error that is not a `Fault` comes with its stack. */
export function errorText(cause: unknown): string {
  if (cause instanceof Fault) return cause.message
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
}
