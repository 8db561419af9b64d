// The entry point for authors of backends: the two ports, the decisions that all backends share, and
// the conformance suites.
export type { LogCase, StoreCase } from './conformance/fixtures.ts'
export type { PartitionStrategy } from '../contract/partition.ts'
export type { AppendLookup, StoredEvent, AppendDecision } from './append-decision.ts'
export { decideAppend, appendResults, assertNewEvents } from './append-decision.ts'
export type { DamageCode, DamagedRange } from './damage.ts'
export { DAMAGE, damageText } from './damage.ts'
export { topicDifferences } from './topic-differences.ts'
export type {
  ArchiveRequest,
  ArchiveResult,
  BackupSummary,
  ReportProgress,
} from './backup-and-archive.ts'
export type {
  Ack,
  LogAppendResult,
  Compaction,
  EventLog,
  Health,
  InspectedRange,
  LogCapabilities,
  LogEnd,
  LogEvent,
  LogRecord,
  LogRefusalCode,
  Place,
  Position,
  Retention,
  Slice,
  TopicSpec,
  TopicState,
} from './event-log.ts'
export { logCases } from './conformance/log-cases.ts'
export type { Capabilities, Case, Finding, ProveOptions, Trial } from './conformance/prove.ts'
export { prove } from './conformance/prove.ts'
export { NO_COUNTS, advanceProgress } from './progress.ts'
export type {
  ConsumedEvent,
  EventStatus,
  LedgerPruning,
  LedgerSubscription,
  ProgressRange,
  Status,
  StatusChange,
  StatusQuery,
  StatusTransition,
} from './status.ts'
export {
  STATUS_CHANGES,
  STATUS_TRANSITIONS,
  STATUSES,
  assertStatusChange,
  compareConsumedEvents,
  isCurrentStatus,
  isStatusChange,
  isStatusStep,
} from './status.ts'
export type { Heartbeat, LeaseRecord, Rebalanced, Membership } from './rebalance.ts'
export { rebalance } from './rebalance.ts'
export type {
  Advance,
  Backend,
  Lease,
  EventStore,
  IndexValue,
  InspectedRows,
  Member,
  Progress,
  Row,
  RowCheck,
  RowKey,
  RowWrite,
  Scan,
  ScannedRow,
  StoreCapabilities,
  StreamEnd,
  StreamEntry,
  Swap,
  TableSpec,
  Unit,
  CommitResult,
} from './event-store.ts'
export type { LedgerCursor, LedgerPage, LedgerQuery, LedgerRow, LedgerView } from './ledger.ts'
export {
  HELD_PAGE_TABLE,
  HELD_TABLE,
  LEDGER_COLUMNS,
  LEDGER_VIEWS,
  WIRE_RECORD_TYPES,
  isRepliesTopic,
  ledgerTime,
} from './ledger.ts'
export type { PayloadCursor, PayloadPage, PayloadQuery, PayloadRow } from './payloads.ts'
export { PAYLOAD_COLUMNS, WIRE_TOPIC_SUFFIX } from './payloads.ts'
export type { StreamEndOf } from './stream-conflicts.ts'
export { distinctRows, rowsBehindStreams, takenEntries } from './stream-conflicts.ts'
export {
  assertStorableLeases,
  assertStorableLedger,
  indexValueOf,
  isStorable,
  assertStorable,
  assertStorableTable,
  assertStorableUnit,
  unstorableField,
} from './storable-text.ts'
export { storeCases } from './conformance/store-cases.ts'
export type { ReadBudget } from './round-robin.ts'
export { bytesOf, isEmpty, readRoundRobin } from './round-robin.ts'
