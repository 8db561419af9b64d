import type { PartitionStrategy } from '../contract/partition.ts'
import type { DamagedRange } from './damage.ts'

/**
 * How long a topic keeps its records; what is absent bounds nothing. The engine trims by it, the log
 * only records it.
 */
export interface Retention {
  /** Records stored longer ago than this may be forgotten. Milliseconds, from 1 on. */
  readonly ageMs?: number
  /** Each partition may forget its oldest records while it has more than this, as `bytesOf`. */
  readonly bytes?: number
}

/** Of each key only the newest record is kept. */
export interface Compaction {
  /** How long a tombstone stays, so that every reader meets it. Milliseconds, from 0 on. */
  readonly deleteRetentionMs: number
}

/** A topic as its contract wants it. All of it is fixed for the life of the topic. */
export interface TopicSpec {
  readonly name: string
  readonly partitions: number
  readonly strategy: PartitionStrategy
  /** Absent: for ever. */
  readonly retention?: Retention
  /** Absent: every record of a key is kept. */
  readonly compaction?: Compaction
}

/** A topic as the log has it. Differences from what was wanted are told, never altered. */
export interface TopicState extends TopicSpec {
  readonly isNew: boolean
  readonly differences: readonly string[]
}

/** A message on its way into the log. `head` and `data` are JSON text, encoded once, kept as is. */
export interface LogEvent {
  readonly topic: string
  /** From the key, by the topic's strategy; never another one for the same key. */
  readonly partition: number
  /**
   * Takes effect once in its topic, for as long as the topic retains it. All texts of an event are
   * well-formed and without a NUL.
   */
  readonly id: string
  readonly key: string
  /** The wire name. */
  readonly type: string
  /** When it happened, in milliseconds since 1970. Says nothing about order. */
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
  /** Grows strictly inside the partition; nobody may assume that there are no holes. */
  readonly offset: number
  /** Grows strictly over all topics, where the log can (`can.positions`). */
  readonly position?: number
  /**
   * When the log took it, in milliseconds since 1970, by the log's clock. Never goes back inside a
   * partition.
   */
  readonly storedAt: number
}

/** Why the log did not take an event. */
export type LogRefusal =
  | 'BATCH_REFUSED'
  | 'EARLIER_NOT_STORED'
  | 'ID_CONFLICT'
  /** Something that was stored there is damaged; nothing is added to it. */
  | 'LOG_DAMAGED'
  | 'LOG_FULL'
  /** One of its texts would not come back as it was. */
  | 'TEXT_NOT_STORABLE'
  | 'TOPIC_NOT_FOUND'
  | 'PARTITION_NOT_FOUND'

/**
 * What became of one event. `unknown` means that it may or may not be stored: appending it again
 * with the same id is always safe and settles the question.
 */
export type Answer =
  | { readonly is: 'stored'; readonly place?: Place; readonly isRepeat: boolean }
  | { readonly is: 'refused'; readonly code: LogRefusal; readonly detail: string }
  | { readonly is: 'unknown'; readonly cause: unknown }

/** Where to read on. */
export interface Position {
  readonly topic: string
  readonly partition: number
  readonly next: number
}

/** What one read found in one partition. */
export interface Slice {
  readonly topic: string
  readonly partition: number
  /** In offset order. */
  readonly records: readonly LogRecord[]
  /** Read on from here; passes over holes. */
  readonly next: number
  /** The offset that the next appended record will have at least. */
  readonly end: number
  /** Offsets that the reader wanted and can no longer get: from, up to and without `to`. */
  readonly lost?: { readonly from: number; readonly to: number }
  /** The partition is damaged at `next`: reading on stops there. */
  readonly damage?: DamagedRange
}

export interface LogEnd {
  readonly topic: string
  readonly partition: number
  /** Nothing below it is retained; `next` when nothing is. */
  readonly first: number
  readonly next: number
}

/** What a look at a part of a partition has found. */
export interface Inspected {
  /** Where to look on; the end when all was looked at. */
  readonly next: number
  /** Ranges of offsets that are not as they were written. */
  readonly flaws: readonly DamagedRange[]
}

/** What an ack means: in memory only, synced to disk, or held by all in-sync replicas. */
export type Ack = 'memory' | 'disk' | 'replicated'

/** What a log can do. What it cannot is declared here, and proved both ways by the suite. */
export interface LogCapabilities {
  readonly ack: Ack
  /** A batch over several topics is stored whole or not at all, when asked for. */
  readonly atomicBatch: boolean
  /** Answers say where an event is stored. */
  readonly places: boolean
  /** Records carry `position`, one order over all topics. */
  readonly positions: boolean
  /** `find` is there. */
  readonly findById: boolean
}

export interface Health {
  readonly is: 'well' | 'failing'
  readonly ack: Ack
  readonly detail: string
}

/**
 * A durable partitioned log. All methods may be called concurrently. A backend retries nothing,
 * validates no payload and measures nothing: the engine does, once, around every backend.
 */
export interface EventLog {
  readonly can: LogCapabilities
  /** Makes the log ready; the first call, once. Calling it again is harmless. */
  open(): Promise<void>
  /** Ends reads that wait, finishes appends that were taken, lets go of everything. Idempotent. */
  close(): Promise<void>
  /** Creates what is missing and reports what differs. */
  declare(topics: readonly TopicSpec[]): Promise<readonly TopicState[]>
  /**
   * One answer per event, in the order of the events. Events of one partition are stored in the
   * order given, and calls that start one after another are stored in that order. After the first
   * event of a key that was not stored, later ones of that key and topic in the call are refused
   * with `EARLIER_NOT_STORED`. An id that the log has, with the same key, type and data, is stored
   * already, whatever its head and time; with others it is refused with `ID_CONFLICT`. With
   * `isAtomic`, one refusal refuses all: the others with `BATCH_REFUSED` (only with
   * `can.atomicBatch`). Stored means what `can.ack` says.
   */
  append(
    events: readonly LogEvent[],
    options?: { readonly isAtomic?: boolean },
  ): Promise<readonly Answer[]>
  /**
   * Reads each partition on from its position. When all are at their ends it waits up to
   * `wait.ms` for more, or until the signal aborts, then answers what it has. `max` bounds the
   * sum over all slices, bytes as `bytesOf` counts them; a record larger than `max.bytes` is still
   * given, alone. Every position gets its slice; when bounds bite, repeated reads starve no
   * partition.
   */
  read(
    from: readonly Position[],
    max: { readonly records: number; readonly bytes: number },
    wait: { readonly ms: number; readonly signal?: AbortSignal },
  ): Promise<readonly Slice[]>
  ends(topics: readonly string[]): Promise<readonly LogEnd[]>
  /** The offset of the first record stored at or after a time; the end when there is none. */
  offsetAt(topic: string, partition: number, atMs: number): Promise<number>
  /** Forgets records below an offset, and with them their ids. */
  trim(topic: string, partition: number, before: number): Promise<void>
  /**
   * Removes the bodies of records below `before` that a later record of their key supersedes,
   * wherever in the partition that lies, and of tombstones stored before `tombstonesBeforeMs` that
   * nothing supersedes. Readers see a hole; the offset stays taken and the id known, and the same
   * event under it is still a repeat. Answers how many were removed.
   */
  compact(
    topic: string,
    partition: number,
    before: number,
    tombstonesBeforeMs: number,
  ): Promise<number>
  /** One event by its id, only with `can.findById`. */
  find?(topic: string, id: string): Promise<LogRecord | undefined>
  /**
   * Reads up to `max` records from an offset on and compares them with their checksums and their
   * order, without handing them out. Only where the log keeps checksums itself.
   */
  inspect?(topic: string, partition: number, from: number, max: number): Promise<Inspected>
  health(): Promise<Health>
}
