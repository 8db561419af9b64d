import { Fault } from '../base/fault.ts'

/** What the exit codes mean. A second signal ends `run` at once, with 130 or 143. */
export const EXITS = {
  fine: { code: 0, meaning: 'it went well' },
  wrong: { code: 1, meaning: 'a fault, or a check that found something wrong' },
  usage: { code: 2, meaning: 'wrong usage: nothing was done' },
  later: { code: 69, meaning: 'not now, but it may go well later: a busy port, owned data' },
  tooOld: { code: 78, meaning: 'this Node.js is too old' },
} as const satisfies Record<string, { code: number; meaning: string }>

/** The exit code for what was thrown. */
export function exitOf(cause: unknown): number {
  if (!(cause instanceof Fault)) return EXITS.wrong.code
  if (cause.code === 'OPTION_INVALID') return EXITS.usage.code
  return cause.retryable ? EXITS.later.code : EXITS.wrong.code
}

/** What was thrown, as `--json` says it. */
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

/** The same for people: what is no fault of ours comes with where it was thrown. */
export function errorText(cause: unknown): string {
  if (cause instanceof Fault) return cause.message
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
}
