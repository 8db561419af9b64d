import type { DatabaseSync } from 'node:sqlite'

/** A database whose connection may be replaced: ask for it at each use, never keep it. */
export interface DatabaseHandle {
  db(): DatabaseSync
  /** Drops the connection, with everything that SQLite cached in it, and opens another one. */
  reconnect(): void
}
