import type { ArchiveWish, Archived, BackedUp, Tell } from './keeping.ts'
import type { Ack, EventLog, Health, LogEvent, LogRecord, Place } from './log.ts'

/** A table of rows by key, with the fields by which rows can be found. Belongs to one service. */
export interface TableSpec {
  /** `<service>.<table>`. */
  readonly name: string
  readonly indexes: readonly string[]
}

/**
 * A value that an index can hold: a finite number, or any text, which is found as it was written.
 * Numbers come before text, and text with a lone surrogate after all other. `null` rows are not found
 * by that index.
 */
export type IndexValue = string | number | null

export interface RowKey {
  readonly table: string
  readonly key: string
}

export interface Row extends RowKey {
  readonly version: number
  /** JSON text. */
  readonly body: string
}

/** A row that a unit was built on. */
export interface RowCheck extends RowKey {
  /** The version that was seen; 0 is "no row". Another one there is a conflict. */
  readonly expected: number
}

/** A row as it shall be. Without a body the row goes. */
export interface RowWrite extends RowCheck {
  readonly version: number
  readonly body: string | null
  /** One value for each index of the table. */
  readonly index?: Readonly<Record<string, IndexValue>>
}

/** The right to act for a resource, as of one generation. */
export interface Claim {
  readonly resource: string
  readonly generation: number
}

/** A running engine: one per process, or per simulated service. */
export interface Member {
  readonly id: string
}

/** What a consumer has finished in one partition; the counts are of events meant for it. */
export interface Progress {
  readonly consumer: string
  readonly topic: string
  readonly partition: number
  /** Every record below this offset is finished or held. */
  readonly next: number
  /** Events that reached the consumer. */
  readonly accepted: number
  /** Events whose effects are committed. */
  readonly completed: number
  /** Events that wait behind a fault of their key. */
  readonly pending: number
  /**
   * Offsets that the log had forgotten before the consumer came to them:
   * `accepted = completed + pending + expired`.
   */
  readonly expired: number
}

/**
 * Progress from where the unit began to where it ends, which may lie before it; the counts are what
 * it adds, or takes away.
 */
export interface Advance extends Progress {
  readonly from: number
}

/** One event of an entity's own stream: version `version` of row (table, key). */
export interface StreamEntry extends RowKey {
  readonly version: number
  /** Which of the unit's appends it is. */
  readonly append: number
}

/** How far a stream goes. What retention took of the log stays counted. */
export interface StreamEnd {
  readonly key: string
  /** Of its last entry. */
  readonly version: number
  /** How many there are: `version` where none is missing. */
  readonly entries: number
}

/**
 * Two tables that change their rows, with versions and indexes, and two consumers that change their
 * progress and counters: what was made beside takes the place of what is there. Tables of entities,
 * which have streams, are never swapped.
 */
export interface Swap {
  readonly tables: readonly [string, string]
  readonly consumers: readonly [string, string]
}

/**
 * Everything that one step of a service changes; committed whole or not at all, together with the
 * acknowledgement of what caused it. Where log and store are one database the appends go straight
 * into the log.
 */
export interface Unit {
  readonly fences: readonly Claim[]
  readonly progress: readonly Advance[]
  /** Sorted by table and key, so that concurrent units cannot lock each other out. */
  readonly rows: readonly RowWrite[]
  /** Rows that the unit does not change, and would be another one without. Sorted, too. */
  readonly checks: readonly RowCheck[]
  /**
   * New to the log, in topics that were declared; anything else rejects the call unchanged, and so
   * do appends where log and store are not one.
   */
  readonly appends: readonly LogEvent[]
  readonly streams: readonly StreamEntry[]
  /** Comes last, after everything else that the unit changes. */
  readonly swap?: Swap
}

/**
 * `fenced`: a claim or a progress is not what the unit was built on, and nothing was changed.
 * `conflict`: a row has another version than expected, or its stream goes on behind the version at
 * which the unit leaves or checks it, and nothing was changed.
 * `unknown`: it may or may not have happened; read the progress again to know.
 */
export type UnitAnswer =
  | { readonly is: 'done'; readonly places: readonly Place[] }
  | { readonly is: 'fenced'; readonly resources: readonly string[] }
  | { readonly is: 'conflict'; readonly rows: readonly RowKey[] }
  | { readonly is: 'unknown'; readonly cause: unknown }

/** Rows of a table, in order of (index value, key), or of key where no index is named. */
export interface Scan {
  readonly table: string
  readonly where?: {
    readonly index: string
    /** Either exactly this value … */
    readonly equals?: string | number
    /** … or every value up to and including this one. */
    readonly upTo?: string | number
  }
  /** The row after which to go on: the last one of the page before. */
  readonly after?: { readonly key: string; readonly value?: string | number }
  /** From 1 to 10,000. */
  readonly limit: number
}

export interface ScannedRow extends Row {
  /** The value of the index that was scanned. */
  readonly value?: string | number
}

export interface StoreCapabilities {
  readonly ack: Ack
  /** Log and store are one database: a unit's appends are in the log when it is done. */
  readonly atomicWithLog: boolean
  /** Several processes may run the same services on it. */
  readonly shared: boolean
}

/** State, progress and claims of services. All methods may be called concurrently. */
export interface EventStore {
  readonly can: StoreCapabilities
  open(): Promise<void>
  close(): Promise<void>
  /**
   * Creates tables and indexes that are missing. An index that is new in a table with rows is
   * filled from the top-level member of its name in each body, where that is text or a number.
   */
  declare(tables: readonly TableSpec[]): Promise<void>
  /**
   * Renews the member's claims and takes free or expired ones, up to its share of what others want,
   * too. A claim that changes hands gets a higher generation, so that whoever held it is fenced.
   * `release` names what the member holds above its share and another one lacks; it finishes what
   * it does there, then `gives` it up with its next beat. Nothing that is wanted stays untaken.
   * Times are the store's own clock.
   */
  beat(
    member: Member,
    wants: readonly string[],
    ttlMs: number,
    gives?: readonly string[],
  ): Promise<{ readonly held: readonly Claim[]; readonly release: readonly string[] }>
  /**
   * Commits a unit of work: see `Unit` and `UnitAnswer`. Done means what `can.ack` says. A text that
   * no database gives back as it was, other than an index value, rejects the call unchanged.
   */
  commit(unit: Unit): Promise<UnitAnswer>
  /**
   * One row per key, in the order of the keys; `undefined` where there is none. Keys are any text:
   * one that could not be stored has no row.
   */
  get(keys: readonly RowKey[]): Promise<readonly (Row | undefined)[]>
  scan(query: Scan): Promise<readonly ScannedRow[]>
  /** An entity's own events from a version on, in version order, up to `limit`. */
  stream(row: RowKey, fromVersion: number, limit: number): Promise<readonly LogRecord[]>
  /** The version at which the stream of each row ends, in the order of the rows; 0 for none. */
  streamEnds(rows: readonly RowKey[]): Promise<readonly number[]>
  /** The streams of a table after a key, in order of the keys, up to `limit`. */
  streams(table: string, after: string | undefined, limit: number): Promise<readonly StreamEnd[]>
  /** Progress and counters of consumers, in one consistent read. */
  progress(consumers: readonly string[]): Promise<readonly Progress[]>
  /** The names of all tables that were declared; only with `inspect`. */
  tables?(): Promise<readonly string[]>
  /**
   * Reads up to `max` rows of a table after a key and compares them with their checksums. Only where
   * the store keeps checksums itself.
   */
  inspect?(table: string, after: string | undefined, max: number): Promise<InspectedRows>
  health(): Promise<Health>
}

/** What a look at a part of a table has found. */
export interface InspectedRows {
  readonly rows: number
  /** The last key that was looked at; none when the table ends there. */
  readonly after?: string
  readonly flaws: readonly { readonly key: string; readonly message: string }[]
}

/** What a service runs on. */
export interface Backend {
  /** Where its data is on this machine, for a backend that has one process as its owner. */
  readonly directory?: string
  readonly log: EventLog
  readonly store: EventStore
  /**
   * Copies everything into a new directory, as of one moment, while the work goes on; whole or not
   * at all. Both ports have to be open. Progress is told in bytes.
   *
   * @throws Fault `DIRECTORY_TAKEN`
   */
  backup?(to: string, tell?: Tell): Promise<BackedUp>
  /**
   * Moves the bodies of old records out of the log into files, and reads them from there as if
   * nothing had moved; offsets, ids and what they mean stay. A file is on the disk before anything
   * goes that is in it. Progress is told in records.
   *
   * @throws Fault `LOG_DAMAGED` where a record cannot be read; `DATA_READ_ONLY`
   */
  archive?(wish: ArchiveWish, tell?: Tell): Promise<Archived>
}
