import type { Cancel } from '../base/clock.ts'
import type { Advance } from '../ports/store.ts'
import type { SlowRule, SlowUnits } from './budget.ts'
import type { ChangedSource } from './changed-source.ts'

import type { Faulted } from './faulted.ts'
import type { KnownHold } from './holds.ts'
import type { Refolds } from './refolds.ts'
import { refoldCounts } from './refolds.ts'

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
export interface Watch {
  /** An operation of a conversation, or one of its sagas, has changed. */
  touched(conversation: string): void
  /** A rule has thrown; its key is held and retried. */
  faulted(fault: Faulted): void
  /** A rule exceeded its time budget, for the first time on this message type. */
  slow(rule: SlowRule): void
  /**
   * A unit of a group was committed early for the first time because its rules computed for too
   * long.
   */
  slowUnits(units: SlowUnits): void
  /** A backend call failed; the processor starts over from what is committed. */
  broke(group: string, cause: unknown): void
  /** It works again. */
  mended(group: string): void
  /** A rebuild has failed, or `undefined`: it continues. The live rows are unchanged. */
  rebuilding(projection: string, failure: unknown): void
  /** Failed rebuilds by projection, with the reason. */
  failedRebuilds(): ReadonlyMap<string, unknown>
  /** All projections of a service whose rows were made by a different source text of the same version. */
  otherSources(service: string, projections: readonly ChangedSource[]): void
  changedSources(): readonly ChangedSource[]
  /** A state was folded again because the evolve rules of its entity have changed. */
  refolded(entity: string, isUnchanged: boolean): void
  refolds(): readonly Refolds[]
  /** Retention deleted records that a consumer had not read. */
  expired(lost: Expired): void
  /** Expired records since the start, by consumer. */
  losses(): ReadonlyMap<string, number>
  /** Sets how many shards of a group this process holds. */
  shared(group: string, share: LeaseShare): void
  shares(): ReadonlyMap<string, LeaseShare>
  /** Registers a function that returns the held keys of a group. */
  holding(group: string, look: () => Iterable<KnownHold>): void
  /** The held keys of each group of this process, from memory. */
  held(): Iterable<Iterable<KnownHold>>
  /** Current failures, with the last error of each. */
  broken(): ReadonlyMap<string, unknown>
  onTouched(conversation: string, listener: () => void): Cancel
}

/**
 * Callbacks for errors and slow rules, such as for a logger or a test. Default: a warning of the
 * process.
 */
export interface Reports {
  readonly faulted?: (fault: Faulted) => void
  /** Once per rule and message type; `health` has the counts. */
  readonly slow?: (rule: SlowRule) => void
  /** Once per group whose rules together block the event loop; `health` has the counts. */
  readonly onSlowUnits?: (units: SlowUnits) => void
  readonly broke?: (group: string, cause: unknown) => void
  /**
   * Once for each projection whose rows were made by rules with a different source text, at the same
   * version; `health` reports them as alarms until they are rebuilt.
   */
  readonly onChangedSource?: (changed: ChangedSource) => void
  /** Retention deleted records that a consumer had not read; they count as `expired`. */
  readonly expired?: (lost: Expired) => void
}

/** How many offsets of a partition expired for a consumer. */
export type Expired = Pick<Advance, 'consumer' | 'topic' | 'partition' | 'expired'>

export function watch(reports: Reports): Watch {
  const conversations = new Map<string, Set<() => void>>()
  const broken = new Map<string, unknown>()
  const failedRebuilds = new Map<string, unknown>()
  const changedSources = new Map<string, readonly ChangedSource[]>()
  const toldSources = new Set<string>()
  const refolds = refoldCounts()
  const shares = new Map<string, LeaseShare>()
  const losses = new Map<string, number>()
  const holding = new Map<string, () => Iterable<KnownHold>>()
  return {
    touched(conversation) {
      for (const listener of conversations.get(conversation) ?? []) listener()
    },
    faulted: (fault) => reports.faulted?.(fault),
    slow: (rule) => reports.slow?.(rule),
    slowUnits: (units) => reports.onSlowUnits?.(units),
    broke(group, cause) {
      broken.set(group, cause)
      reports.broke?.(group, cause)
    },
    mended: (group) => void broken.delete(group),
    rebuilding(projection, failure) {
      if (failure === undefined) return void failedRebuilds.delete(projection)
      failedRebuilds.set(projection, failure)
      reports.broke?.(`a rebuild of ${projection}`, failure)
    },
    failedRebuilds: () => failedRebuilds,
    otherSources(service, projections) {
      changedSources.set(service, projections)
      for (const changed of projections) {
        if (toldSources.has(changed.projection)) continue
        toldSources.add(changed.projection)
        reports.onChangedSource?.(changed)
      }
    },
    changedSources: () => [...changedSources.values()].flat(),
    refolded: refolds.add,
    refolds: refolds.all,
    expired(lost) {
      losses.set(lost.consumer, (losses.get(lost.consumer) ?? 0) + lost.expired)
      const { consumer, topic, partition, expired } = lost
      reports.expired?.({ consumer, topic, partition, expired })
    },
    losses: () => losses,
    shared: (group, share) => void shares.set(group, share),
    shares: () => shares,
    holding: (group, look) => void holding.set(group, look),
    held: () => [...holding.values()].map((look) => look()),
    broken: () => broken,
    onTouched(conversation, listener) {
      const listeners = conversations.get(conversation) ?? new Set()
      conversations.set(conversation, listeners.add(listener))
      return () => {
        listeners.delete(listener)
        if (listeners.size === 0) conversations.delete(conversation)
      }
    },
  }
}
