import { Fault } from '../base/errors/fault.ts'
import { thrownError } from '../base/errors/thrown-error.ts'
import type { OptionTable, Options } from '../base/options.ts'

/**
 * Attempts at a message whose rule throws. The delay before attempt n is random between 0 and
 * `delayMs` × `factor`^(n - 2), at most `delayMsMax`. With the defaults, ten attempts take about an
 * hour.
 */
export const RETRY_OPTIONS = {
  /** Attempts until the message has failed, the first one included. */
  attempts: { default: 10, min: 1, max: 1_000_000 },
  /** The longest delay before the second attempt. */
  delayMs: { default: 200, min: 1, max: 3_600_000 },
  /** How much longer each delay may be than the one before. */
  factor: { default: 4, min: 1, max: 100 },
  /** The longest delay. */
  delayMsMax: { default: 3_600_000, min: 1, max: 86_400_000 },
} as const satisfies OptionTable
export type RetryOptions = Options<typeof RETRY_OPTIONS>

/** When failed messages of a consumer are redriven without an operator. */
export const REDRIVE_OPTIONS = {
  /** This long after a message has failed; 0 for never. */
  afterMs: { default: 0, min: 0, max: 31_536_000_000 },
  /** How often one message is redriven by these rules, at most. */
  times: { default: 3, min: 1, max: 1_000 },
  /** How many messages of the consumer per second, at most. */
  perSecond: { default: 100, min: 1, max: 100_000 },
} as const satisfies OptionTable

export interface RedriveOptions extends Partial<Options<typeof REDRIVE_OPTIONS>> {
  /**
   * Redrive once the code of the consumer has changed. Default `true`, except with `onFailed: 'skip'`.
   */
  readonly onDeploy?: boolean
}

/**
 * What follows when a message has failed: when its attempts are used up, or no retry can help.
 * `hold-key`: later messages of its key wait until it is redriven or discarded. `skip`: they go on
 * without it. `stop`: the consumer reads nothing more.
 */
export const ON_FAILED = ['hold-key', 'skip', 'stop'] as const
export type OnFailed = (typeof ON_FAILED)[number]

/** What a consumer does about messages whose rule throws. */
export interface FailureOptions {
  /** Each member that is absent: as the options of the engine say. */
  readonly retry?: Partial<RetryOptions>
  /** Default `hold-key`. */
  readonly onFailed?: OnFailed
  readonly redrive?: RedriveOptions
}

/**
 * An error that no retry can heal: `throw final(cause)`. The message has failed at once. For "no" as an
 * answer to a command, return `refuse` instead.
 */
export function final(cause: unknown): Fault {
  const { message: detail, stack } = thrownError(cause)
  const fault = new Fault('FINAL', { detail, cause })
  // Where it was thrown: what is declared final here has its origin there.
  if (stack === undefined) Error.captureStackTrace(fault, final)
  else fault.stack = stack
  return fault
}
