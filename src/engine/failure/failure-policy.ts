import { isFinalCode } from '../../base/errors/fault.ts'
import type { OnFailed, RetryOptions } from '../../rules/failure-policy.ts'
import { REDRIVE_OPTIONS } from '../../rules/failure-policy.ts'
import type { Consumer, ConsumerGroup } from '../plan/index.ts'
import { codeFingerprint } from '../plan/index.ts'

/** The options of the engine for consumers without a `retry` of their own. */
export interface RetryDefaults {
  readonly retryAttemptsMax: number
  readonly retryDelayMs: number
  readonly retryDelayFactor: number
  readonly retryDelayMsMax: number
}

/** What a consumer does about failures, with all defaults filled in. */
export interface FailurePolicy {
  readonly retry: RetryOptions
  readonly onFailed: OnFailed
  readonly redrive: {
    readonly afterMs: number
    readonly times: number
    readonly perSecond: number
    readonly onDeploy: boolean
  }
  /** Names the code of the consumer, to notice a deploy. */
  readonly code: string
}

export function failurePolicyOf({ rule }: Consumer, defaults: RetryDefaults): FailurePolicy {
  const { retry = {}, onFailed = 'hold-key', redrive = {} } = rule
  return {
    retry: { ...timerRetry(defaults), ...retry },
    onFailed,
    redrive: {
      afterMs: redrive.afterMs ?? REDRIVE_OPTIONS.afterMs.default,
      times: redrive.times ?? REDRIVE_OPTIONS.times.default,
      perSecond: redrive.perSecond ?? REDRIVE_OPTIONS.perSecond.default,
      onDeploy: redrive.onDeploy ?? onFailed !== 'skip',
    },
    code: codeFingerprint(rule),
  }
}

/** The policies of the consumers of a group, by consumer id. */
export function createPolicies(
  { consumers }: Pick<ConsumerGroup, 'consumers'>,
  defaults: RetryDefaults,
): (consumer: string) => FailurePolicy {
  const policies = new Map(consumers.map((each) => [each.id, failurePolicyOf(each, defaults)]))
  return (consumer) => {
    const policy = policies.get(consumer)
    if (!policy) throw new Error(`${consumer} is not in this group`)
    return policy
  }
}

/** How timers that cannot be sent are delayed. */
export function timerRetry(defaults: RetryDefaults): RetryOptions {
  return {
    attempts: defaults.retryAttemptsMax,
    delayMs: defaults.retryDelayMs,
    factor: defaults.retryDelayFactor,
    delayMsMax: defaults.retryDelayMsMax,
  }
}

/** The longest delay after a number of failed attempts. */
export function retryDelayMsMax(
  { delayMs, factor, delayMsMax }: RetryOptions,
  attempts: number,
): number {
  return Math.min(delayMs * factor ** Math.min(attempts - 1, 64), delayMsMax)
}

/**
 * The delay after a number of failed attempts: anything up to the longest one, so that the retries of
 * many messages do not come at once ("full jitter", AWS Architecture Blog, 2015).
 */
export function retryDelayMs(retry: RetryOptions, attempts: number, random: number): number {
  return Math.round(retryDelayMsMax(retry, attempts) * random)
}

/** What follows an error. */
export type NextStep =
  | { readonly status: 'RETRY'; readonly delayMs: number }
  | { readonly status: 'FAILED' }

/** Decides whether an event with this many failed attempts is tried again. Pure. */
export function nextStep(
  { retry }: FailurePolicy,
  { attempts, code }: { readonly attempts: number; readonly code: string | undefined },
  random: number,
): NextStep {
  if (isFinalCode(code) || attempts >= retry.attempts) return { status: 'FAILED' }
  return { status: 'RETRY', delayMs: retryDelayMs(retry, attempts, random) }
}
