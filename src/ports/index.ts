// The entry point for authors of backends: the two ports, the decisions that all backends share, and
// the conformance suites.
export type { LogCase, StoreCase } from './conformance/sample.ts'
export type { PartitionStrategy } from '../contract/partition.ts'
export type { Admission, Stored, Verdict } from './admit.ts'
export { admit, answersOf, mustBeNew } from './admit.ts'
export type { DamageCode, DamagedRange } from './damage.ts'
export { DAMAGE, damageText } from './damage.ts'
export { differencesOf } from './differences.ts'
export type { ArchiveWish, Archived, BackedUp, Tell } from './keeping.ts'
export type {
  Ack,
  Answer,
  Compaction,
  EventLog,
  Health,
  Inspected,
  LogCapabilities,
  LogEnd,
  LogEvent,
  LogRecord,
  LogRefusal,
  Place,
  Position,
  Retention,
  Slice,
  TopicSpec,
  TopicState,
} from './log.ts'
export { logCases } from './conformance/log.ts'
export type { Can, Case, Finding, ProveOptions, Trial } from './conformance/prove.ts'
export { prove } from './conformance/prove.ts'
export { moveOn } from './progress.ts'
export type { Beat, Lease, Shared, Wish } from './share.ts'
export { shareOut } from './share.ts'
export type {
  Advance,
  Backend,
  Claim,
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
  UnitAnswer,
} from './store.ts'
export type { EndOf } from './streams.ts'
export { distinctRows, rowsBehind, takenEntries } from './streams.ts'
export {
  claimsMustBeStorable,
  indexValueOf,
  isStorable,
  mustBeStorable,
  tableMustBeStorable,
  unitMustBeStorable,
  unstorableIn,
} from './text.ts'
export { storeCases } from './conformance/store.ts'
export type { Budget } from './turns.ts'
export { bytesOf, isEmpty, readInTurns } from './turns.ts'
