import type {
  ArchiveRequest,
  ArchiveResult,
  BackupSummary,
  ReportProgress,
} from './backup-and-archive.ts'
import type {
  ConsumedEvent,
  EventStatus,
  LedgerPruning,
  LedgerSubscription,
  ProgressRange,
  StatusChange,
  StatusQuery,
} from './status.ts'
import type { LedgerPage, LedgerQuery } from './ledger.ts'
import type { PayloadPage, PayloadQuery } from './payloads.ts'
import type { Ack, EventLog, Health, LogEvent, LogRecord, Place } from './event-log.ts'

/** A table of rows by key, with its indexes. Belongs to one service. */
export interface TableSpec {
  /** `<service>.<table>`. */
  readonly name: string
  readonly indexes: readonly string[]
}

/**
 * A value that an index can hold: a finite number, or any text, unchanged. Numbers sort before text,
 * and text with a lone surrogate sorts last. Rows with `null` are not in the index.
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

/** A row that a unit has read. */
export interface RowCheck extends RowKey {
  /** The version that was read, 0 for no row. Any other version is a conflict. */
  readonly expected: number
}

/** A row to write. A `null` body deletes it. */
export interface RowWrite extends RowCheck {
  readonly version: number
  readonly body: string | null
  /** One value for each index of the table. */
  readonly index?: Readonly<Record<string, IndexValue>>
}

/** The right to act for a resource. The generation is its fencing token. */
export interface Lease {
  readonly resource: string
  readonly generation: number
}

/** A running engine: one per process, or per simulated service. */
export interface Member {
  readonly id: string
}

/** The progress of a consumer in one partition; it counts only events that it consumes. */
export interface Progress {
  readonly consumer: string
  readonly topic: string
  readonly partition: number
  /** Every record below this offset is completed, held or expired. */
  readonly next: number
  /** Events delivered to the consumer. */
  readonly accepted: number
  /** Events whose effects are committed. */
  readonly completed: number
  /** Events of held keys, without those that have failed. */
  readonly pending: number
  /** Events that have failed: dead letters that nobody has resolved. */
  readonly dead: number
  /** Failed events that were given up for good. */
  readonly discarded: number
  /**
   * Offsets that the log trimmed before the consumer read them:
   * `accepted = completed + dead + discarded + expired + pending`.
   */
  readonly expired: number
}

/**
 * A change of progress: from the offset at which the unit began to the one at which it ends, which
 * may be lower. The counts are differences and may be negative. With `from: null` only the counts
 * change, wherever the consumer is: `next` is ignored.
 */
export interface Advance extends Progress {
  readonly from: number | null
  /** Begins a new progress range at `from`: who passes what follows, and since when. */
  readonly range?: { readonly by: string; readonly at: number }
}

/** One event of an entity's stream: version `version` of the row (table, key). */
export interface StreamEntry extends RowKey {
  readonly version: number
  /** Index of the event in the unit's appends. */
  readonly append: number
}

/** The end of a stream. Events that retention removed from the log are still counted. */
export interface StreamEnd {
  readonly key: string
  /** The version of its last entry. */
  readonly version: number
  /** The number of entries: `version` where none is missing. */
  readonly entries: number
}

/**
 * Swaps the rows, versions and indexes of two tables, and the progress and counters of two consumers:
 * how a rebuilt projection replaces the live one. The statuses and progress ranges of the first
 * consumer are removed, since they are about the rows that are replaced, and those of the second become
 * its own. Tables of entities, which have streams, are never swapped.
 */
export interface Swap {
  readonly tables: readonly [string, string]
  readonly consumers: readonly [string, string]
}

/**
 * A unit of work: everything that one step of a service changes, committed whole or not at all,
 * together with the progress of its consumer. Where log and store are one database, its appends go
 * straight into the log.
 */
export interface Unit {
  readonly fences: readonly Lease[]
  readonly progress: readonly Advance[]
  /** Sorted by table and key, so that concurrent units cannot deadlock. */
  readonly rows: readonly RowWrite[]
  /** Rows that the unit read and does not change. Sorted by table and key. */
  readonly checks: readonly RowCheck[]
  /**
   * New events for declared topics; any other append rejects the call and changes nothing. Only
   * with `can.atomicWithLog`.
   */
  readonly appends: readonly LogEvent[]
  readonly streams: readonly StreamEntry[]
  /**
   * Changes of statuses, at most one per event and consumer. A change whose `from` is not the stored
   * status is a conflict: see `isCurrentStatus`. One that `isStatusChange` does not allow rejects the call.
   */
  readonly statuses: readonly StatusChange[]
  /** Applied last. */
  readonly swap?: Swap
}

/**
 * `fenced`: a lease or a progress has changed since the unit read it; nothing was changed.
 * `conflict`: a row has another version than expected, its stream is ahead of the version at which the
 * unit writes or checks it, or the status of an event is another one; nothing was changed. `rows` lists
 * the rows, and is empty if only statuses differ.
 * `unknown`: the commit may or may not have happened; read the progress again to find out.
 */
export type CommitResult =
  | { readonly status: 'done'; readonly places: readonly Place[] }
  | { readonly status: 'fenced'; readonly resources: readonly string[] }
  | { readonly status: 'conflict'; readonly rows: readonly RowKey[] }
  | { readonly status: 'unknown'; readonly cause: unknown }

/** Selects rows of a table, ordered by (index value, key), or by key without an index. */
export interface Scan {
  readonly table: string
  readonly where?: {
    readonly index: string
    /** Only this value. */
    readonly equals?: string | number
    /** Every value up to and including this one. */
    readonly upTo?: string | number
  }
  /** The last row of the previous page. */
  readonly after?: { readonly key: string; readonly value?: string | number }
  /** 1 to 10,000. */
  readonly limit: number
}

export interface ScannedRow extends Row {
  /** Its value in the scanned index. */
  readonly value?: string | number
}

export interface StoreCapabilities {
  readonly ack: Ack
  /** Log and store are one database: a unit's appends are in the log once it is committed. */
  readonly atomicWithLog: boolean
  /** Several processes may run the same services on it. */
  readonly shared: boolean
  /** `ledger` and `payloads` are supported. */
  readonly ledger: boolean
}

/** State, progress and leases of services. All methods may be called concurrently. */
export interface EventStore {
  readonly can: StoreCapabilities
  open(): Promise<void>
  close(): Promise<void>
  /**
   * Creates missing tables and indexes. A new index of a table with rows is filled from the top-level
   * member of that name in each body, where it is text or a number.
   */
  declare(tables: readonly TableSpec[]): Promise<void>
  /**
   * A heartbeat: renews the member's leases and takes free or expired ones, up to its quota of
   * contested resources. A lease that changes hands gets a higher generation, which fences its former
   * holder. `revoke` names leases that the member must hand over: it finishes its work there and
   * names them in `releases` of its next heartbeat. No wanted resource stays without a holder. Times
   * are those of the store's clock.
   */
  beat(
    member: Member,
    wants: readonly string[],
    ttlMs: number,
    releases?: readonly string[],
  ): Promise<{ readonly held: readonly Lease[]; readonly revoke: readonly string[] }>
  /**
   * Commits a unit of work: see `Unit` and `CommitResult`. `can.ack` says how durable it is then. A
   * text that cannot be stored unchanged rejects the call, unless it is an index value.
   */
  commit(unit: Unit): Promise<CommitResult>
  /**
   * Returns one row per key, in the order of the keys; `undefined` where there is none. A key may be
   * any text: one that cannot be stored has no row.
   */
  get(keys: readonly RowKey[]): Promise<readonly (Row | undefined)[]>
  scan(query: Scan): Promise<readonly ScannedRow[]>
  /** The events of an entity from a version on, in version order, up to `limit`. */
  stream(row: RowKey, fromVersion: number, limit: number): Promise<readonly LogRecord[]>
  /** The last version of the stream of each row, in the order of the rows; 0 for none. */
  streamEnds(rows: readonly RowKey[]): Promise<readonly number[]>
  /** The streams of a table after a key, ordered by key, up to `limit`. */
  streams(table: string, after: string | undefined, limit: number): Promise<readonly StreamEnd[]>
  /** Progress and counters of consumers, in one consistent read. */
  progress(consumers: readonly string[]): Promise<readonly Progress[]>
  /** Stored statuses: see `EventStatus`. */
  statuses(query: StatusQuery): Promise<readonly EventStatus[]>
  /** The progress range of each event, in the order given; `undefined` where none is stored. */
  ranges(events: readonly ConsumedEvent[]): Promise<readonly (ProgressRange | undefined)[]>
  /** Replaces what the views of the ledger know of the consumers of a service. */
  declareLedger(service: string, subscriptions: readonly LedgerSubscription[]): Promise<void>
  /** Rows of the ledger, the newest first; only with `can.ledger`. */
  ledger?(query: LedgerQuery): Promise<LedgerPage>
  /** The bodies of messages, the newest first; only with `can.ledger`. */
  payloads?(query: PayloadQuery): Promise<PayloadPage>
  /** Removes old statuses and ranges. Returns how many; repeat until it is 0. */
  pruneLedger(pruning: LedgerPruning): Promise<number>
  /**
   * The names of all tables that `inspect` reads: the declared ones, and without a dot those of the
   * store itself. Only with `inspect`.
   */
  tables?(): Promise<readonly string[]>
  /**
   * Reads up to `max` rows of a table after a key and verifies their checksums. Only for stores that
   * keep checksums.
   */
  inspect?(table: string, after: string | undefined, max: number): Promise<InspectedRows>
  health(): Promise<Health>
}

/** The result of inspecting a range of a table. */
export interface InspectedRows {
  readonly rows: number
  /** The last inspected key; absent when the table ends there. */
  readonly after?: string
  readonly damaged: readonly { readonly key: string; readonly message: string }[]
}

/** What a service runs on. */
export interface Backend {
  /** The data directory, for a backend that one process owns. */
  readonly directory?: string
  readonly log: EventLog
  readonly store: EventStore
  /**
   * Copies everything into a new directory as of one moment, without stopping work. The copy is
   * complete or absent. Both ports must be open. Progress is in bytes.
   *
   * @throws Fault `DIRECTORY_TAKEN`
   */
  backup?(to: string, onProgress?: ReportProgress): Promise<BackupSummary>
  /**
   * Moves the payloads of old records into files and reads them from there; offsets and ids do not
   * change. A file is synced before its records leave the log. Progress is in records.
   *
   * @throws Fault `LOG_DAMAGED` where a record cannot be read; `DATA_READ_ONLY`
   */
  archive?(request: ArchiveRequest, onProgress?: ReportProgress): Promise<ArchiveResult>
}
