import type { DatabaseSync } from 'node:sqlite'
import { transaction } from './statements.ts'

/** The version of everything in the data directory. An older one is brought up, a newer refused. */
export const FORMAT = 1

/** "THRL", so that a database of something else is never taken for ours. */
export const APPLICATION_ID = 0x5448524c

const PAGE_BYTES = 8_192

/** Pages in the write-ahead log after which a commit moves them into the database: 16 MiB. */
const WAL_PAGES = 2_048

const TABLES = `
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE topic (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, partitions INTEGER NOT NULL,
  strategy TEXT NOT NULL
) STRICT;
CREATE TABLE head (
  topic INTEGER NOT NULL, part INTEGER NOT NULL, first INTEGER NOT NULL, next INTEGER NOT NULL,
  PRIMARY KEY (topic, part)
) STRICT, WITHOUT ROWID;
CREATE TABLE log (
  position INTEGER PRIMARY KEY, topic INTEGER NOT NULL, part INTEGER NOT NULL,
  off INTEGER NOT NULL, id ANY NOT NULL, key TEXT NOT NULL, type TEXT NOT NULL,
  at INTEGER NOT NULL, head TEXT NOT NULL, data TEXT
) STRICT;
CREATE UNIQUE INDEX log_place ON log (topic, part, off);
CREATE UNIQUE INDEX log_id ON log (topic, id);
CREATE TABLE progress (
  consumer TEXT NOT NULL, topic TEXT NOT NULL, part INTEGER NOT NULL, next INTEGER NOT NULL,
  accepted INTEGER NOT NULL, completed INTEGER NOT NULL, pending INTEGER NOT NULL,
  PRIMARY KEY (consumer, topic, part)
) STRICT, WITHOUT ROWID;
CREATE TABLE lease (
  resource TEXT PRIMARY KEY, member TEXT NOT NULL, generation INTEGER NOT NULL,
  until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE stream (
  tbl INTEGER NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, position INTEGER NOT NULL,
  PRIMARY KEY (tbl, key, version)
) STRICT, WITHOUT ROWID;
CREATE TABLE tbl (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE idx (
  tbl INTEGER NOT NULL, name TEXT NOT NULL, col TEXT NOT NULL, PRIMARY KEY (tbl, name)
) STRICT, WITHOUT ROWID;
`

/** Settings of the connection; they are not kept in the file and cost one exec. */
export function configure(db: DatabaseSync): void {
  db.exec(`
    PRAGMA page_size = ${PAGE_BYTES};
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = ${WAL_PAGES};
    PRAGMA cache_size = -16384;
    PRAGMA temp_store = MEMORY;
    PRAGMA trusted_schema = OFF;
  `)
}

/** Makes all tables, or nothing at all. */
export function createTables(db: DatabaseSync, epoch: string): void {
  transaction(db, () => {
    db.exec(TABLES)
    db.prepare("INSERT INTO meta (name, value) VALUES ('epoch', ?)").run(epoch)
    db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${FORMAT}`)
  })
}

/**
 * Reads everything that an open reads: all of the small tables, and the end of the log.
 *
 * @throws the error of SQLite where a page is damaged
 */
export function mustBeSound(db: DatabaseSync): void {
  for (const table of ['meta', 'topic', 'head', 'progress', 'lease', 'tbl', 'idx'])
    db.prepare(`SELECT * FROM ${table}`).all()
  db.prepare('SELECT max(position) FROM log').get()
}

/** What a database file says that it is. */
export interface Identity {
  readonly applicationId: number
  readonly format: number
  readonly tables: number
}

export function identify(db: DatabaseSync): Identity {
  const read = (sql: string): number => Number(Object.values(db.prepare(sql).get() ?? {})[0])
  return {
    applicationId: read('PRAGMA application_id'),
    format: read('PRAGMA user_version'),
    tables: read('SELECT count(*) FROM sqlite_schema'),
  }
}
