// Wraps SQLite as this backend uses it: schema, migrations, prepared statements, checksums and
// error codes.
export { assertCatalog, writeCatalogChecksum } from './catalog-checksum.ts'
export {
  nextChain,
  recordChecksum,
  rowChecksum,
  streamEntryChecksum,
  tableRowChecksum,
} from './checksums.ts'
export type { Candidate, ConversationBlocks } from './conversation-blocks.ts'
export { BLOCK_RECORDS, candidatesFrom, createConversationBlocks } from './conversation-blocks.ts'
export type { DatabaseHandle } from './database-handle.ts'
export { storedId } from './event-ids.ts'
export type { StoredRecord } from './log-rows.ts'
export {
  INSERT_RECORD,
  LOST_PAYLOAD,
  RECORD_COLUMNS,
  RECORD_WIDTH,
  createRecord,
  decodeRecord,
  encodeGone,
  isIntact,
  payloadHashIn,
} from './log-rows.ts'
export { NO_SENTINEL, assertLedgerSentinels } from './ledger-sentinels.ts'
export { migrate } from './migrations.ts'
export {
  APPLICATION_ID,
  FORMAT,
  PAGE_BYTES,
  ROW_COLUMNS,
  assertReadable,
  configureConnection,
  createTables,
  readIdentity,
} from './schema.ts'
export {
  SENTINEL_KEY,
  assertSentinelRows,
  assertTableSentinel,
  insertTableSentinel,
} from './sentinel-rows.ts'
export {
  damagedRecordFault,
  damagedTableFault,
  isBusy,
  isCannotOpen,
  isCorrupt,
  isDiskFull,
  isIoError,
  isPositionTaken,
  isSqliteError,
  isStreamEntryTaken,
  isUniqueViolation,
  isValueError,
  withDamageFault,
} from './sqlite-errors.ts'
export { writeServiceViews } from './service-views.ts'
export type { Columns, Statements } from './statements.ts'
export { createStatements, transaction } from './statements.ts'
