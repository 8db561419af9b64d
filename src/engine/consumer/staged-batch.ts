import { consumedEventKey, progressId } from '../../ports/composite-keys.ts'
import type { LogEvent, LogRecord } from '../../ports/event-log.ts'
import type { Advance, StreamEntry } from '../../ports/event-store.ts'
import { NO_COUNTS } from '../../ports/progress.ts'
import type { StatusChange } from '../../ports/status.ts'
import type { Batch, DeliveryCounts, InboundMessage, RuleRun } from '../execution/index.ts'
import type { PagedDraft, RuleError, StatusStep } from '../failure/index.ts'
import { createStatusChange } from '../failure/index.ts'
import type { Consumer } from '../plan/index.ts'
import type { UnitDraft } from '../rows/index.ts'
import { createDraft } from '../rows/index.ts'
import type { BatchContext } from './load-rows.ts'

/** What a batch has staged for its unit. */
export interface StagedBatch extends Omit<StagingBatch, 'computedMs' | 'tables' | 'openPages'> {
  /** The part of the batch that was run; the rest is for the next unit. */
  readonly batch: Batch
  /** Computing time of the rules, in milliseconds. */
  readonly computedMs: number
}

/** Staged changes while the rules run. */
export interface StagingBatch extends PagedDraft {
  readonly draft: UnitDraft
  readonly appends: LogEvent[]
  readonly streams: StreamEntry[]
  readonly changedConversations: Set<string>
  /** Counts by consumer, topic, partition. */
  readonly counts: Map<string, DeliveryCounts>
  /** The same counts by consumer and topic, each a list by partition. */
  readonly countsByConsumer: Map<Consumer, Map<string, DeliveryCounts[]>>
  /** Counts of dead letters that compensations give up, which may belong to other instances. */
  readonly resolved: Advance[]
  /** Changed statuses by consumer and place. */
  readonly statuses: Map<string, StatusChange>
  readonly ruleErrors: RuleError[]
  computedMs: number
}

export function createStagingBatch({ rows, environment }: BatchContext): StagingBatch {
  return {
    computedMs: 0,
    draft: createDraft({ row: rows.peek }),
    tables: environment.service.tableNames,
    openPages: new Map(),
    appends: [],
    streams: [],
    changedConversations: new Set(),
    counts: new Map(),
    countsByConsumer: new Map(),
    resolved: [],
    statuses: new Map(),
    ruleErrors: [],
  }
}

export function createRun(
  { environment }: BatchContext,
  staged: StagingBatch,
  inbound: InboundMessage,
  consumer: Consumer,
): RuleRun {
  staged.draft.begin()
  return {
    environment,
    inbound,
    consumer,
    draft: staged.draft,
    appends: [],
    streams: [],
    missingRows: [],
    // A notification for an unchanged conversation is harmless: its waiters look again.
    changedConversations: staged.changedConversations,
  }
}

export function mergeRun(staged: StagingBatch, step: RuleRun): void {
  const first = staged.appends.length
  for (const event of step.appends) staged.appends.push(event)
  for (const entry of step.streams) staged.streams.push({ ...entry, append: entry.append + first })
}

type Counted = Partial<Omit<DeliveryCounts, 'consumer' | 'topic' | 'partition'>>

/** Adds to the counts of a consumer where a record is stored. */
export function addCounts(
  staged: StagingBatch,
  consumer: Consumer,
  record: LogRecord,
  added: Counted,
): void {
  const counts = findCounts(staged, consumer, record)
  counts.accepted += added.accepted ?? 0
  counts.completed += added.completed ?? 0
  counts.pending += added.pending ?? 0
  counts.dead += added.dead ?? 0
  counts.discarded += added.discarded ?? 0
}

function findCounts(
  { counts, countsByConsumer }: StagingBatch,
  consumer: Consumer,
  { topic, partition }: LogRecord,
): DeliveryCounts {
  let topics = countsByConsumer.get(consumer)
  if (!topics) countsByConsumer.set(consumer, (topics = new Map()))
  let partitions = topics.get(topic)
  if (!partitions) topics.set(topic, (partitions = []))
  const known = partitions[partition]
  if (known) return known
  const made = { consumer: consumer.id, topic, partition, ...NO_COUNTS }
  partitions[partition] = made
  counts.set(progressId(made), made)
  return made
}

/** Stages a change of the status of a record at a consumer; two changes in one unit become one. */
export function stageStatus(
  { environment: { service, clock } }: Pick<BatchContext, 'environment'>,
  staged: StagingBatch,
  consumer: Consumer,
  record: LogRecord,
  change: StatusStep,
): void {
  const made = createStatusChange(consumer, record, change, { by: service.name, at: clock.now() })
  const place = consumedEventKey(made)
  const from = staged.statuses.get(place)?.from ?? made.from
  staged.statuses.set(place, { ...made, from })
}
