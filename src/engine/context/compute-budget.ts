import type { Clock } from '../../base/time/clock.ts'
import { compositeKey } from '../../base/composite-key.ts'

/** A rule that exceeded its time budget on messages of one type. */
export interface SlowRule {
  /** `<service>/<rule>`. */
  readonly consumer: string
  /** Wire name of the message type. */
  readonly type: string
  readonly budgetMs: number
  /** Runs over the budget since the start, including those of units that were run again. */
  readonly count: number
  readonly worst: SlowRun
}

/** One run that exceeded the budget. */
export interface SlowRun {
  readonly tookMs: number
  readonly messageId: string
  readonly key: string
}

/** A consumer group whose units were committed early because its rules computed for too long. */
export interface SlowUnits {
  /** `<service>`, `<service>/<handler>`, or `<service>/<projection>` while that is rebuilt. */
  readonly group: string
  readonly limitMs: number
  /** Units committed early since the start. */
  readonly count: number
  readonly worst: SlowUnit
}

export interface SlowUnit {
  /** Computing time of its rules. */
  readonly tookMs: number
  /** Messages that they ran on. */
  readonly messages: number
}

/** One run of a rule: its consumer, message type and message. */
interface TimedRun {
  readonly subscription: {
    readonly consumer: { readonly name: string }
    readonly messageType: WireNamed
  }
  readonly inbound: { readonly envelope: { readonly id: string; readonly key: string } }
}
interface WireNamed {
  readonly wire: string
}

/**
 * Measures every run of a rule, since a run blocks the event loop. Consecutive runs cost one clock
 * read each: a run begins where the previous one ended. So call `begin` after every await, and do
 * not await between it and the `end` of each run.
 */
export interface ComputeBudget {
  begin(): void
  /** Returns how long the run took. */
  end(run: TimedRun): number
  /** Counts a unit of a group that was committed early. */
  endedEarly(group: string, unit: SlowUnit): void
  /** Runs over the budget since the start, by rule and message type. */
  slowRules(): readonly SlowRule[]
  slowUnits(): readonly SlowUnits[]
}

/** How long rules may take, in milliseconds. */
export interface BudgetLimits {
  readonly ruleBudgetMs: number
  readonly unitComputeMsMax: number
}

/** Each is called once: per rule and message type, or per group. */
export interface BudgetHooks {
  readonly onSlowRule: (rule: SlowRule) => void
  readonly onSlowUnits: (units: SlowUnits) => void
}

export function createComputeBudget(
  clock: Pick<Clock, 'elapsed'>,
  { ruleBudgetMs: budgetMs, unitComputeMsMax: limitMs }: BudgetLimits,
  hooks: BudgetHooks,
): ComputeBudget {
  const rules = new Map<string, SlowRule>()
  const groups = new Map<string, SlowUnits>()
  let begunAt = clock.elapsed()

  function recordSlowRun(tookMs: number, { subscription, inbound }: TimedRun): void {
    const { name: consumer } = subscription.consumer
    const { wire: type } = subscription.messageType
    const { id: messageId, key } = inbound.envelope
    const id = compositeKey(consumer, type)
    const before = rules.get(id)
    const run: SlowRun = { tookMs, messageId, key }
    const worst = before && before.worst.tookMs >= tookMs ? before.worst : run
    const rule = { consumer, type, budgetMs, count: (before?.count ?? 0) + 1, worst }
    rules.set(id, rule)
    if (!before) hooks.onSlowRule(rule)
  }

  return {
    begin() {
      begunAt = clock.elapsed()
    },
    end(run) {
      const endedAt = clock.elapsed()
      const tookMs = endedAt - begunAt
      begunAt = endedAt
      if (tookMs > budgetMs) recordSlowRun(tookMs, run)
      return tookMs
    },
    endedEarly(group, unit) {
      const before = groups.get(group)
      const worst = before && before.worst.tookMs >= unit.tookMs ? before.worst : unit
      const units = { group, limitMs, count: (before?.count ?? 0) + 1, worst }
      groups.set(group, units)
      if (!before) hooks.onSlowUnits(units)
    },
    slowRules: () => [...rules.values()],
    slowUnits: () => [...groups.values()],
  }
}

/** Describes a slow rule in a sentence, with the fix. */
export function slowRuleText({ consumer, type, budgetMs, worst }: SlowRule): string {
  const { tookMs, messageId, key } = worst
  return (
    `${consumer} took ${Math.round(tookMs)} ms on ${type} ${messageId} of ${key}, over its budget of ` +
    `${budgetMs} ms, and blocked the event loop: do less in the rule, or use a handler with a thread`
  )
}

/** Describes slow units in a sentence, with the fix. */
export function slowUnitsText({ group, limitMs, worst }: SlowUnits): string {
  const { tookMs, messages } = worst
  return (
    `a unit of ${group} computed for ${Math.round(tookMs)} ms on ${messages} messages, over the limit ` +
    `of ${limitMs} ms, and was committed early: do less in its rules, or use a handler with a thread`
  )
}
