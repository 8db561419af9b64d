import type { DatabaseSync } from 'node:sqlite'
import { writeCatalogChecksum } from './catalog-checksum.ts'
import { CONVERSATION_TABLE } from './conversation-blocks.ts'
import { LEDGER_TABLES } from './ledger-schema.ts'
import { insertLedgerSentinels } from './ledger-sentinels.ts'
import { LEDGER_VIEW_SQL } from './ledger-views.ts'
import { writeServiceViews } from './service-views.ts'
import { insertSentinelRows } from './sentinel-rows.ts'
import { createStatements, transaction } from './statements.ts'

/** The format version of a data directory. Older ones are migrated, newer ones refused. */
export const FORMAT = 4

/** The first format with a ledger. */
const LEDGER_FORMAT = 3

/** "THRL"; tells our databases from those of other programs. */
export const APPLICATION_ID = 0x5448524c

/**
 * Each commit writes one page per index and partition that it touches, so small pages make small
 * commits: 127 kB for a batch of 100 events, and 190 kB with pages of twice the size.
 */
export const PAGE_BYTES = 4_096

/**
 * The tables of the log. A row is one event and immutable: `sum` is its checksum, `chain` hashes the
 * checksums of its partition up to it. Where compaction or an archive removed its payload, `gone`
 * holds the payload's hash, so that a duplicate is still recognized.
 */
export const LOG_TABLES = `
CREATE TABLE topic (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, partitions INTEGER NOT NULL,
  strategy TEXT NOT NULL, settings TEXT NOT NULL
) STRICT;
CREATE TABLE head (
  topic INTEGER NOT NULL, part INTEGER NOT NULL, first INTEGER NOT NULL, next INTEGER NOT NULL,
  base INTEGER NOT NULL, chain INTEGER NOT NULL, stored INTEGER NOT NULL, sum INTEGER NOT NULL,
  PRIMARY KEY (topic, part)
) STRICT, WITHOUT ROWID;
CREATE TABLE log (
  position INTEGER PRIMARY KEY, topic INTEGER NOT NULL, part INTEGER NOT NULL,
  off INTEGER NOT NULL, id ANY NOT NULL, key TEXT NOT NULL, type TEXT NOT NULL,
  at INTEGER NOT NULL, stored INTEGER NOT NULL, sum INTEGER NOT NULL, chain INTEGER NOT NULL,
  head TEXT NOT NULL, data TEXT, gone TEXT
) STRICT;
CREATE UNIQUE INDEX log_place ON log (topic, part, off);
CREATE UNIQUE INDEX log_id ON log (topic, id) WHERE typeof(id) = 'blob';
CREATE UNIQUE INDEX log_foreign_id ON log (topic, id) WHERE typeof(id) = 'text';
CREATE TRIGGER log_is_immutable BEFORE UPDATE ON log WHEN NOT (
  new.position IS old.position AND new.topic IS old.topic AND new.part IS old.part AND
  new.off IS old.off AND new.id IS old.id AND new.key IS old.key AND new.type IS old.type AND
  new.at IS old.at AND new.stored IS old.stored AND new.sum IS old.sum AND
  new.chain IS old.chain AND old.gone IS NULL AND new.gone IS NOT NULL AND new.data IS NULL AND
  new.head = ''
) BEGIN SELECT RAISE(ABORT, 'the log is immutable: only the body of a record may go'); END;
CREATE TRIGGER log_stays BEFORE DELETE ON log
WHEN old.off >= (SELECT first FROM head WHERE topic = old.topic AND part = old.part)
BEGIN SELECT RAISE(ABORT, 'the log is immutable: only trimming removes records'); END;
CREATE TABLE damage (
  topic INTEGER NOT NULL, part INTEGER NOT NULL, from_off INTEGER NOT NULL,
  to_off INTEGER NOT NULL, what TEXT NOT NULL, found INTEGER NOT NULL,
  is_accepted INTEGER NOT NULL, PRIMARY KEY (topic, part, from_off)
) STRICT, WITHOUT ROWID;
CREATE TABLE archive (
  topic INTEGER NOT NULL, part INTEGER NOT NULL, from_off INTEGER NOT NULL,
  to_off INTEGER NOT NULL, file TEXT NOT NULL, at_byte INTEGER NOT NULL, bytes INTEGER NOT NULL,
  sha BLOB NOT NULL, records INTEGER NOT NULL, PRIMARY KEY (topic, part, from_off)
) STRICT, WITHOUT ROWID;
CREATE TABLE stream (
  tbl INTEGER NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, position INTEGER NOT NULL,
  sum INTEGER NOT NULL, PRIMARY KEY (tbl, key, version)
) STRICT, WITHOUT ROWID;
`

/** The progress of consumers: counters, and how far they have come. */
export const PROGRESS_TABLE = `
CREATE TABLE progress (
  consumer TEXT NOT NULL, topic TEXT NOT NULL, part INTEGER NOT NULL, next INTEGER NOT NULL,
  accepted INTEGER NOT NULL, completed INTEGER NOT NULL, pending INTEGER NOT NULL,
  dead INTEGER NOT NULL, discarded INTEGER NOT NULL, expired INTEGER NOT NULL,
  sum INTEGER NOT NULL, PRIMARY KEY (consumer, topic, part)
) STRICT, WITHOUT ROWID;
`

const OTHER_TABLES = `
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE lease (
  resource TEXT PRIMARY KEY, member TEXT NOT NULL, generation INTEGER NOT NULL,
  until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE tbl (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE idx (
  tbl INTEGER NOT NULL, name TEXT NOT NULL, col TEXT NOT NULL, PRIMARY KEY (tbl, name)
) STRICT, WITHOUT ROWID;
`

/** The columns that every table of a service has. */
export const ROW_COLUMNS = `
  key TEXT PRIMARY KEY, version INTEGER NOT NULL, body TEXT NOT NULL, sum INTEGER NOT NULL`

/**
 * Configures a connection; most settings are not stored in the file. Checkpoints run apart from
 * commits: see `Checkpointer`.
 */
export function configureConnection(db: DatabaseSync): void {
  db.exec(`
    PRAGMA page_size = ${PAGE_BYTES};
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = 0;
    PRAGMA journal_size_limit = 67108864;
    PRAGMA cache_size = -32768;
    PRAGMA temp_store = MEMORY;
    PRAGMA trusted_schema = OFF;
  `)
}

/** Creates all tables in one transaction. */
export function createTables(db: DatabaseSync, epoch: string): void {
  transaction(db, () => {
    for (const tables of [
      LOG_TABLES,
      CONVERSATION_TABLE,
      PROGRESS_TABLE,
      LEDGER_TABLES,
      OTHER_TABLES,
    ])
      db.exec(tables)
    db.prepare("INSERT INTO meta (name, value) VALUES ('epoch', ?)").run(epoch)
    const sql = createStatements({ db: () => db })
    insertSentinelRows(sql)
    insertLedgerSentinels(sql)
    db.exec(LEDGER_VIEW_SQL)
    writeServiceViews(sql)
    writeCatalogChecksum(sql)
    db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${FORMAT}`)
  })
}

/**
 * Reads what opening reads of any format: all small tables, and the end of the log.
 *
 * @throws the error of SQLite where a page is damaged
 */
export function assertReadable(db: DatabaseSync): void {
  for (const table of ['meta', 'topic', 'head', 'progress', 'lease', 'tbl', 'idx'])
    db.prepare(`SELECT * FROM ${table}`).all()
  if (readIdentity(db).format >= LEDGER_FORMAT)
    for (const table of ['progress_range', 'subscription'])
      db.prepare(`SELECT * FROM ${table}`).all()
  db.prepare('SELECT max(position) FROM log').get()
}

/** Which program and format a database file belongs to. */
export interface Identity {
  readonly applicationId: number
  readonly format: number
  readonly tables: number
}

export function readIdentity(db: DatabaseSync): Identity {
  const read = (sql: string): number => Number(Object.values(db.prepare(sql).get() ?? {})[0])
  return {
    applicationId: read('PRAGMA application_id'),
    format: read('PRAGMA user_version'),
    tables: read('SELECT count(*) FROM sqlite_schema'),
  }
}
