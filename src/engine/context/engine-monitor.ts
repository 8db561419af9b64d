import type { Cancel } from '../../base/time/clock.ts'
import type { Advance } from '../../ports/event-store.ts'
import type { SlowRule, SlowUnits } from './compute-budget.ts'
import type { ChangedSource } from '../plan/index.ts'

import type { RuleError, HoldSummary } from '../failure/index.ts'
import type { RefoldReport } from './refold-counts.ts'
import { createRefoldCounts } from './refold-counts.ts'

/** The shards of a group that a member holds. */
export interface LeaseShare {
  /** Shards that the member holds … */
  readonly held: number
  /** … of how many there are. */
  readonly shards: number
}

/**
 * Collects what happens inside the engine, for those in this process who wait for it or show it.
 */
export interface EngineMonitor {
  /** An operation of a conversation, or one of its sagas, has changed. */
  conversationChanged(conversation: string): void
  /** A rule has thrown; its key is held and retried. */
  ruleFailed(fault: RuleError): void
  /** A rule exceeded its time budget, for the first time on this message type. */
  onSlowRule(rule: SlowRule): void
  /**
   * A unit of a group was committed early for the first time because its rules computed for too
   * long.
   */
  onSlowUnits(units: SlowUnits): void
  /** A backend call failed; the processor starts over from what is committed. */
  failed(group: string, cause: unknown): void
  /** It works again. */
  recovered(group: string): void
  /** A rebuild has failed, or `undefined`: it continues. The live rows are unchanged. */
  setRebuildFailure(projection: string, failure: unknown): void
  /** Failed rebuilds by projection, with the reason. */
  rebuildFailures(): ReadonlyMap<string, unknown>
  /** All projections of a service whose rows were made by a different source text of the same version. */
  otherSources(service: string, projections: readonly ChangedSource[]): void
  changedSources(): readonly ChangedSource[]
  /** A state was folded again because the evolve rules of its entity have changed. */
  refolded(entity: string, isUnchanged: boolean): void
  refolds(): readonly RefoldReport[]
  /** Retention deleted records that a consumer had not read. */
  recordsExpired(lost: ExpiredRecords): void
  /** Expired records since the start, by consumer. */
  losses(): ReadonlyMap<string, number>
  /** Sets how many shards of a group this process holds. */
  setShare(group: string, share: LeaseShare): void
  shares(): ReadonlyMap<string, LeaseShare>
  /** Registers a function that returns the held keys of a group. */
  trackHolds(group: string, look: () => Iterable<HoldSummary>): void
  /** The held keys of each group of this process, from memory. */
  holdsByGroup(): Iterable<Iterable<HoldSummary>>
  /** Current failures, with the last error of each. */
  failures(): ReadonlyMap<string, unknown>
  onConversationChanged(conversation: string, listener: () => void): Cancel
}

/**
 * Callbacks for errors and slow rules, such as for a logger or a test. Default: a warning of the
 * process.
 */
export interface StartHooks {
  readonly onRuleError?: (fault: RuleError) => void
  /** Once per rule and message type; `health` has the counts. */
  readonly onSlowRule?: (rule: SlowRule) => void
  /** Once per group whose rules together block the event loop; `health` has the counts. */
  readonly onSlowUnits?: (units: SlowUnits) => void
  readonly onBackendError?: (group: string, cause: unknown) => void
  /**
   * Once for each projection whose rows were made by rules with a different source text, at the same
   * version; `health` reports them as alarms until they are rebuilt.
   */
  readonly onChangedSource?: (changed: ChangedSource) => void
  /** Retention deleted records that a consumer had not read; they count as `expired`. */
  readonly onExpired?: (lost: ExpiredRecords) => void
}

/** How many offsets of a partition expired for a consumer. */
export type ExpiredRecords = Pick<Advance, 'consumer' | 'topic' | 'partition' | 'expired'>

export function createEngineMonitor(hooks: StartHooks): EngineMonitor {
  const conversations = new Map<string, Set<() => void>>()
  const failures = new Map<string, unknown>()
  const rebuildFailures = new Map<string, unknown>()
  const changedSources = new Map<string, readonly ChangedSource[]>()
  const toldSources = new Set<string>()
  const refolds = createRefoldCounts()
  const shares = new Map<string, LeaseShare>()
  const losses = new Map<string, number>()
  const holding = new Map<string, () => Iterable<HoldSummary>>()
  return {
    conversationChanged(conversation) {
      for (const listener of conversations.get(conversation) ?? []) listener()
    },
    ruleFailed: (fault) => hooks.onRuleError?.(fault),
    onSlowRule: (rule) => hooks.onSlowRule?.(rule),
    onSlowUnits: (units) => hooks.onSlowUnits?.(units),
    failed(group, cause) {
      failures.set(group, cause)
      hooks.onBackendError?.(group, cause)
    },
    recovered: (group) => void failures.delete(group),
    setRebuildFailure(projection, failure) {
      if (failure === undefined) return void rebuildFailures.delete(projection)
      rebuildFailures.set(projection, failure)
      hooks.onBackendError?.(`a rebuild of ${projection}`, failure)
    },
    rebuildFailures: () => rebuildFailures,
    otherSources(service, projections) {
      changedSources.set(service, projections)
      for (const changed of projections) {
        if (toldSources.has(changed.projection)) continue
        toldSources.add(changed.projection)
        hooks.onChangedSource?.(changed)
      }
    },
    changedSources: () => [...changedSources.values()].flat(),
    refolded: refolds.add,
    refolds: refolds.all,
    recordsExpired(lost) {
      losses.set(lost.consumer, (losses.get(lost.consumer) ?? 0) + lost.expired)
      const { consumer, topic, partition, expired } = lost
      hooks.onExpired?.({ consumer, topic, partition, expired })
    },
    losses: () => losses,
    setShare: (group, share) => void shares.set(group, share),
    shares: () => shares,
    trackHolds: (group, look) => void holding.set(group, look),
    holdsByGroup: () => [...holding.values()].map((look) => look()),
    failures: () => failures,
    onConversationChanged(conversation, listener) {
      const listeners = conversations.get(conversation) ?? new Set()
      conversations.set(conversation, listeners.add(listener))
      return () => {
        listeners.delete(listener)
        if (listeners.size === 0) conversations.delete(conversation)
      }
    },
  }
}
