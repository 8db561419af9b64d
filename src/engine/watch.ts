import type { Cancel } from '../base/clock.ts'
import type { Advance } from '../ports/store.ts'
import type { SlowRule, SlowUnits } from './budget.ts'
import type { ChangedSource } from './changed-source.ts'
import type { Share } from './claims.ts'
import type { Faulted } from './faulted.ts'
import type { KnownHold } from './holds.ts'
import type { Refolds } from './refolds.ts'
import { refoldCounts } from './refolds.ts'

/** What happens inside the engine, for those in the same process who wait for it or show it. */
export interface Watch {
  /** A conversation's operation or one of its sagas has changed. */
  touched(conversation: string): void
  /** A rule has thrown; its key is held and tried again. */
  faulted(fault: Faulted): void
  /** A rule was over its time budget, for the first time on this type of message. */
  slow(rule: SlowRule): void
  /** A unit of a group was ended early for the first time, since its rules computed for too long. */
  slowUnits(units: SlowUnits): void
  /** A call to the backend went wrong; the processor starts over from what is committed. */
  broke(group: string, cause: unknown): void
  /** It works again. */
  mended(group: string): void
  /** A rebuild of a projection cannot go on, or goes on again. The live rows are as they were. */
  rebuilding(projection: string, failure: unknown): void
  /** Rebuilds that cannot go on, by projection, with the reason. */
  failedRebuilds(): ReadonlyMap<string, unknown>
  /** All projections of a service whose rows were made by another source of the same version. */
  otherSources(service: string, projections: readonly ChangedSource[]): void
  changedSources(): readonly ChangedSource[]
  /** A state was folded again since the evolve rules of its entity have changed. */
  refolded(entity: string, isUnchanged: boolean): void
  refolds(): readonly Refolds[]
  /** A consumer came too late to something that retention took away. */
  expired(lost: Expired): void
  /** What consumers have lost since the start, by consumer. */
  losses(): ReadonlyMap<string, number>
  /** How much of a group's work is done here. */
  shared(group: string, share: Share): void
  shares(): ReadonlyMap<string, Share>
  /** Says where the held keys of a group can be looked at. */
  holding(group: string, look: () => Iterable<KnownHold>): void
  /** The held keys of each group here, as they are in memory. */
  held(): Iterable<Iterable<KnownHold>>
  /** What is broken at the moment, with what was thrown last. */
  broken(): ReadonlyMap<string, unknown>
  onTouched(conversation: string, listener: () => void): Cancel
}

/** Where it is told what goes wrong: a logger, or a test. Default: a warning of the process. */
export interface Reports {
  readonly faulted?: (fault: Faulted) => void
  /** Once for each rule and type of message; `health` has the counts. */
  readonly slow?: (rule: SlowRule) => void
  /** Once for each group: its rules together hold up everybody else; `health` has the counts. */
  readonly onSlowUnits?: (units: SlowUnits) => void
  readonly broke?: (group: string, cause: unknown) => void
  /**
   * Once for each projection whose rows were made by rules of another source text, at the same
   * version; `health` has them as alarms until they are rebuilt.
   */
  readonly onChangedSource?: (changed: ChangedSource) => void
  /** Retention took away what a consumer had yet to read; it is counted as `expired`. */
  readonly expired?: (lost: Expired) => void
}

/** How many offsets of a partition a consumer has lost. */
export type Expired = Pick<Advance, 'consumer' | 'topic' | 'partition' | 'expired'>

export function watch(reports: Reports): Watch {
  const conversations = new Map<string, Set<() => void>>()
  const broken = new Map<string, unknown>()
  const failedRebuilds = new Map<string, unknown>()
  const changedSources = new Map<string, readonly ChangedSource[]>()
  const toldSources = new Set<string>()
  const refolds = refoldCounts()
  const shares = new Map<string, Share>()
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
