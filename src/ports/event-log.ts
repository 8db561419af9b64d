import type { PartitionStrategy } from '../contract/partition.ts'
import type { DamagedRange } from './damage.ts'

/**
 * How long a topic keeps its records; an absent member sets no limit. The engine trims by these
 * settings, the log only stores them.
 */
export interface Retention {
  /** Records stored longer ago than this may be trimmed. Milliseconds, at least 1. */
  readonly ageMs?: number
  /** The oldest records of a partition larger than this may be trimmed; counted by `bytesOf`. */
  readonly bytes?: number
}

/** Keeps only the newest record of each key. */
export interface Compaction {
  /** How long a tombstone stays, so that every reader sees it. Milliseconds, at least 0. */
  readonly deleteRetentionMs: number
}

/** The declaration of a topic. It is fixed for the life of the topic. */
export interface TopicSpec {
  readonly name: string
  readonly partitions: number
  readonly strategy: PartitionStrategy
  /** Absent: records are kept forever. */
  readonly retention?: Retention
  /** Absent: every record of a key is kept. */
  readonly compaction?: Compaction
}

/** A topic as it is stored. Differences from the declaration are reported, never applied. */
export interface TopicState extends TopicSpec {
  readonly isNew: boolean
  readonly differences: readonly string[]
}

/** An event to append. `head` and `data` are JSON text, encoded once and stored unchanged. */
export interface LogEvent {
  readonly topic: string
  /** Derived from the key by the topic's strategy; always the same one for the same key. */
  readonly partition: number
  /**
   * Takes effect once in its topic, for as long as the topic retains it. No text of an event may
   * contain a lone surrogate or a NUL.
   */
  readonly id: string
  readonly key: string
  /** The wire name. */
  readonly type: string
  /** When it happened, in milliseconds since 1970. Does not define the order. */
  readonly at: number
  readonly head: string
  /** `null` is a tombstone. */
  readonly data: string | null
}

export interface Place {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/** An event in the log. */
export interface LogRecord extends LogEvent {
  /** Strictly increasing inside the partition; readers must expect holes. */
  readonly offset: number
  /** Strictly increasing over all topics; only with `can.positions`. */
  readonly position?: number
  /**
   * When the log stored it, in milliseconds since 1970, by the log's clock. Never decreases inside a
   * partition.
   */
  readonly storedAt: number
}

/** Why the log refused an event. */
export type LogRefusalCode =
  | 'BATCH_REFUSED'
  | 'EARLIER_NOT_STORED'
  | 'ID_CONFLICT'
  /** The partition is damaged; nothing is appended to it. */
  | 'LOG_DAMAGED'
  | 'LOG_FULL'
  /** One of its texts could not be read back unchanged. */
  | 'TEXT_NOT_STORABLE'
  | 'TOPIC_NOT_FOUND'
  | 'PARTITION_NOT_FOUND'

/**
 * The result of appending one event. `unknown` means that it may or may not be stored: appending it
 * again with the same id is always safe and gives a definite result.
 */
export type LogAppendResult =
  | { readonly status: 'stored'; readonly place?: Place; readonly isDuplicate: boolean }
  | { readonly status: 'refused'; readonly code: LogRefusalCode; readonly detail: string }
  | { readonly status: 'unknown'; readonly cause: unknown }

/** Where to continue reading. */
export interface Position {
  readonly topic: string
  readonly partition: number
  readonly next: number
}

/** The records of one partition that one read returns. */
export interface Slice {
  readonly topic: string
  readonly partition: number
  /** In offset order. */
  readonly records: readonly LogRecord[]
  /** Continue here; holes are already skipped. */
  readonly next: number
  /** The lowest offset that the next appended record can have. */
  readonly end: number
  /** Requested offsets that are no longer available, `to` excluded. */
  readonly lost?: { readonly from: number; readonly to: number }
  /** The damage of the partition at `next`; reading cannot continue past it. */
  readonly damage?: DamagedRange
}

export interface LogEnd {
  readonly topic: string
  readonly partition: number
  /** The lowest retained offset; `next` when the partition is empty. */
  readonly first: number
  readonly next: number
}

/** The result of inspecting a range of a partition. */
export interface InspectedRange {
  /** Where to continue; the end when everything was inspected. */
  readonly next: number
  /** Ranges of offsets that are not as they were written. */
  readonly damaged: readonly DamagedRange[]
}

/** What an ack means: in memory only, synced to disk, or stored by all in-sync replicas. */
export type Ack = 'memory' | 'disk' | 'replicated'

/** What a log supports. The conformance suite tests both what is declared and what is not. */
export interface LogCapabilities {
  readonly ack: Ack
  /** With `isAtomic`, a batch over several topics is stored whole or not at all. */
  readonly atomicBatch: boolean
  /** Append results name the place of the event. */
  readonly places: boolean
  /** Records have a `position`, one order over all topics. */
  readonly positions: boolean
  /** `find` is supported. */
  readonly findById: boolean
  /** `conversation` is supported. */
  readonly findByConversation: boolean
}

export interface Health {
  readonly status: 'well' | 'failing'
  readonly ack: Ack
  readonly detail: string
}

/**
 * A durable partitioned log. All methods may be called concurrently. A backend does not retry,
 * validate payloads or record metrics: the engine does that for every backend.
 */
export interface EventLog {
  readonly can: LogCapabilities
  /** Opens the log; must be called before anything else. Calling it again has no effect. */
  open(): Promise<void>
  /** Ends waiting reads, finishes accepted appends and releases all resources. Idempotent. */
  close(): Promise<void>
  /** Creates missing topics and reports how existing ones differ. */
  declare(topics: readonly TopicSpec[]): Promise<readonly TopicState[]>
  /**
   * Returns one result per event, in the order of the events. Events of one partition are stored in
   * the order given, and calls in the order in which they start. Once an event of a key is refused,
   * later events of that key and topic in the call are refused with `EARLIER_NOT_STORED`. A known id
   * with the same key, type and data is a duplicate and counts as stored, whatever its head and
   * time; with other content it is refused with `ID_CONFLICT`. With `isAtomic` (only with
   * `can.atomicBatch`), one refusal refuses all, the others with `BATCH_REFUSED`. `can.ack` says how
   * durable a stored event is.
   */
  append(
    events: readonly LogEvent[],
    options?: { readonly isAtomic?: boolean },
  ): Promise<readonly LogAppendResult[]>
  /**
   * Reads each partition from its position. When all are at their ends it waits up to `wait.ms` for
   * new records, or until the signal aborts. `max` limits the sum over all slices, with bytes counted
   * by `bytesOf`; a record larger than `max.bytes` is returned alone. There is one slice for each
   * position; when the limits apply, repeated reads starve no partition.
   */
  read(
    from: readonly Position[],
    max: { readonly records: number; readonly bytes: number },
    wait: { readonly ms: number; readonly signal?: AbortSignal },
  ): Promise<readonly Slice[]>
  ends(topics: readonly string[]): Promise<readonly LogEnd[]>
  /** The offset of the first record stored at or after a time; the end where there is none. */
  offsetAt(topic: string, partition: number, atMs: number): Promise<number>
  /** Removes records below an offset, and with them their ids. */
  trim(topic: string, partition: number, before: number): Promise<void>
  /**
   * Removes the payloads of records below `before` that a later record of their key supersedes,
   * anywhere in the partition, and of tombstones stored before `tombstonesBeforeMs` that nothing
   * supersedes. Readers see a hole; offset and id stay in use, and the same event is still a
   * duplicate. Returns the number of removed records.
   */
  compact(
    topic: string,
    partition: number,
    before: number,
    tombstonesBeforeMs: number,
  ): Promise<number>
  /** Finds one event by its id; only with `can.findById`. */
  find?(topic: string, id: string): Promise<LogRecord | undefined>
  /**
   * The messages of all topics with a correlation, and those with it as their id, behind a position:
   * the lowest positions first, up to `limit`. Only with `can.findByConversation` and `can.positions`.
   */
  conversation?(correlation: string, limit: number, after?: number): Promise<readonly LogRecord[]>
  /**
   * Reads up to `max` records from an offset and verifies their checksums and order. Only for logs
   * that store checksums.
   */
  inspect?(topic: string, partition: number, from: number, max: number): Promise<InspectedRange>
  health(): Promise<Health>
}
