import type { Clock } from '../base/clock.ts'
import { compositeKey } from '../base/composite-key.ts'

/** A rule that has taken longer than it may on messages of one type. */
export interface SlowRule {
  /** `<service>/<rule>`. */
  readonly consumer: string
  /** Wire name of the message type. */
  readonly type: string
  readonly budgetMs: number
  /** Runs over the budget since the start, those of a unit that was repeated included. */
  readonly count: number
  readonly worst: SlowRun
}

/** One run of a rule that took too long. */
export interface SlowRun {
  readonly tookMs: number
  readonly messageId: string
  readonly key: string
}

/** A group whose units were ended early, since their rules computed for too long. */
export interface SlowUnits {
  /** `<service>`, `<service>/<handler>`, or `<service>/<projection>` while that is rebuilt. */
  readonly group: string
  readonly limitMs: number
  /** Units that were ended early since the start. */
  readonly count: number
  readonly worst: SlowUnit
}

export interface SlowUnit {
  /** How long its rules computed. */
  readonly tookMs: number
  /** How many messages they were run on. */
  readonly messages: number
}

/** What is run: whose rule, on which message. */
interface Run {
  readonly reaction: { readonly consumer: { readonly name: string }; readonly message: Wired }
  readonly arrival: { readonly envelope: { readonly id: string; readonly key: string } }
}
interface Wired {
  readonly wire: string
}

/**
 * Times every run of a rule, since nobody else has a turn meanwhile. Runs that follow each other cost
 * one look at the clock each: the next one begins where the last one ended. So there is one `begin`
 * after whatever was awaited, and nothing is awaited between it and the `end` of each run.
 */
export interface Budget {
  begin(): void
  /** Answers how long the run took. */
  end(run: Run): number
  /** A unit of a group was ended early. */
  endedEarly(group: string, unit: SlowUnit): void
  /** What was over the budget since the start, by rule and message type. */
  slow(): readonly SlowRule[]
  slowUnits(): readonly SlowUnits[]
}

/** How long rules may take, in milliseconds. */
export interface BudgetLimits {
  readonly ruleBudgetMs: number
  readonly unitComputeMsMax: number
}

/** Each is called the first time: for a rule on a type of message, for the units of a group. */
export interface BudgetHooks {
  readonly slow: (rule: SlowRule) => void
  readonly slowUnits: (units: SlowUnits) => void
}

export function budgetOf(
  clock: Pick<Clock, 'elapsed'>,
  { ruleBudgetMs: budgetMs, unitComputeMsMax: limitMs }: BudgetLimits,
  hooks: BudgetHooks,
): Budget {
  const rules = new Map<string, SlowRule>()
  const groups = new Map<string, SlowUnits>()
  let begunAt = clock.elapsed()

  function over(tookMs: number, { reaction, arrival }: Run): void {
    const { name: consumer } = reaction.consumer
    const { wire: type } = reaction.message
    const { id: messageId, key } = arrival.envelope
    const id = compositeKey(consumer, type)
    const before = rules.get(id)
    const run: SlowRun = { tookMs, messageId, key }
    const worst = before && before.worst.tookMs >= tookMs ? before.worst : run
    const rule = { consumer, type, budgetMs, count: (before?.count ?? 0) + 1, worst }
    rules.set(id, rule)
    if (!before) hooks.slow(rule)
  }

  return {
    begin() {
      begunAt = clock.elapsed()
    },
    end(run) {
      const endedAt = clock.elapsed()
      const tookMs = endedAt - begunAt
      begunAt = endedAt
      if (tookMs > budgetMs) over(tookMs, run)
      return tookMs
    },
    endedEarly(group, unit) {
      const before = groups.get(group)
      const worst = before && before.worst.tookMs >= unit.tookMs ? before.worst : unit
      const units = { group, limitMs, count: (before?.count ?? 0) + 1, worst }
      groups.set(group, units)
      if (!before) hooks.slowUnits(units)
    },
    slow: () => [...rules.values()],
    slowUnits: () => [...groups.values()],
  }
}

/** A slow rule as a sentence, with its cure. */
export function slowText({ consumer, type, budgetMs, worst }: SlowRule): string {
  const { tookMs, messageId, key } = worst
  return (
    `${consumer} took ${Math.round(tookMs)} ms on ${type} ${messageId} of ${key}, over its budget ` +
    `of ${budgetMs} ms, and nobody else had a turn: do less in it, or do it in a handler with a thread`
  )
}

/** Slow units as a sentence, with their cure. */
export function slowUnitsText({ group, limitMs, worst }: SlowUnits): string {
  const { tookMs, messages } = worst
  return (
    `a unit of ${group} computed for ${Math.round(tookMs)} ms on ${messages} messages, over the ` +
    `${limitMs} ms that it may hold up everybody else, and was ended early: do less in its rules, ` +
    `or do it in a handler with a thread`
  )
}
