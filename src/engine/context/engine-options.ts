import { availableParallelism } from 'node:os'
import { RETRY_OPTIONS } from '../../rules/failure-policy.ts'
import { days } from '../../base/time/duration.ts'
import type { Options } from '../../base/options.ts'

/** Options of the engine. Every number has a unit in its name, a default and bounds. */
export const ENGINE_OPTIONS = {
  /** Records per unit of work at most. Higher is faster, and holds locks for longer. */
  unitRecordsMax: { default: 512, min: 1, max: 10_000 },
  /** Bytes of JSON read per unit of work at most. */
  unitBytesMax: { default: 4_194_304, min: 65_536, max: 268_435_456 },
  /** State cached in memory per service. */
  cacheBytesMax: { default: 16_777_216, min: 1_048_576, max: 4_294_967_296 },
  /** Bytes of sent messages that wait for their ack; beyond it, `BACKPRESSURE`. */
  sendBytesMax: { default: 16_777_216, min: 1_048_576, max: 1_073_741_824 },
  /** Lag of a consumer in events; beyond it, sending fails with `BACKPRESSURE`. */
  lagEventsMax: { default: 1_000_000, min: 1, max: 1_000_000_000 },
  /** Lag in events up to which a slow consumer keeps retention from deleting its unread records. */
  retentionLagEventsMax: { default: 10_000_000, min: 1, max: 1_000_000_000_000 },
  /** How often retention and compaction run. */
  retentionCheckMs: { default: 60_000, min: 100, max: 86_400_000 },
  /**
   * Records older than this are history: a rule that is new to them must say where it starts.
   * Younger records may come from services that were started together for the first time.
   */
  historyAgeMs: { default: 600_000, min: 0, max: 86_400_000 },
  /** How long the result of an operation is kept once its command is decided; 0 for ever. */
  operationKeptMs: { default: days(30), min: 0, max: days(3_650) },
  /** How long a finished saga instance keeps later messages from starting it again; 0 for ever. */
  sagaKeptMs: { default: days(30), min: 0, max: days(3_650) },
  /** How long the ledger keeps the errors of events that are completed or discarded; 0 for ever. */
  statusKeptMs: { default: days(30), min: 0, max: days(3_650) },
  /** Newest progress ranges that the ledger keeps for each consumer and partition. */
  progressRangesMax: { default: 1_000, min: 1, max: 1_000_000 },
  /** Deadline of a backend call; after it, the outcome is unknown. */
  deadlineMs: { default: 15_000, min: 100, max: 300_000 },
  /** How long a lease lasts without a heartbeat. */
  leaseMs: { default: 30_000, min: 300, max: 600_000 },
  /** How long a read waits for new records. */
  idleMs: { default: 1_000, min: 1, max: 60_000 },
  /**
   * How long a handled event of a queue may wait for its ack while other events take longer, and how long the
   * call of a handler may take before the store says that it is in progress.
   */
  queueAckMs: { default: 500, min: 10, max: 60_000 },
  /** Attempts at a message until it has failed, for consumers without a `retry` of their own. */
  retryAttemptsMax: RETRY_OPTIONS.attempts,
  /** The longest delay before the first retry; each further one may be … */
  retryDelayMs: RETRY_OPTIONS.delayMs,
  /** … this many times as long … */
  retryDelayFactor: RETRY_OPTIONS.factor,
  /** … up to this. */
  retryDelayMsMax: RETRY_OPTIONS.delayMsMax,
  /** Records per second that the background scan for damage reads; 0 disables it. */
  damageScanRecordsPerSecondMax: { default: 500, min: 0, max: 1_000_000 },
  /** Attempts at a message that crash the process before the message is held. */
  crashAttemptsMax: { default: 3, min: 1, max: 100 },
  /** Threads for handlers that ask for one; with 0, these run on the main thread. */
  threadsMax: { default: Math.max(1, availableParallelism() - 1), min: 0, max: 256 },
  /** Memory of one thread, garbage included; beyond it, the thread is terminated. */
  threadBytesMax: { default: 536_870_912, min: 16_777_216, max: 68_719_476_736 },
  /** Alarm once a key has been held because of an error for this long; 0 disables it. */
  heldAlarmMs: { default: 60_000, min: 0, max: 31_536_000_000 },
  /** Alarm once the event in front of a held key has failed this often; 0 disables it. */
  heldAlarmAttempts: { default: 3, min: 0, max: 1_000_000 },
  /** Alarm once a record has been unread by a consumer for this long; 0 disables it. */
  lagAlarmMs: { default: 60_000, min: 0, max: 31_536_000_000 },
  /** Alarm once a timer is overdue by this much; 0 disables it. */
  timerAlarmMs: { default: 60_000, min: 0, max: 31_536_000_000 },
  /** Alarm once a saga instance has been open for this long; 0 disables it. */
  sagaAlarmMs: { default: 0, min: 0, max: 31_536_000_000 },
  /** Alarm once an operation has been pending for this long; 0 disables it. */
  operationAlarmMs: { default: 0, min: 0, max: 31_536_000_000 },
  /**
   * Time budget of one run of a rule, which blocks the event loop; beyond it, the rule is reported
   * as slow.
   */
  ruleBudgetMs: { default: 100, min: 1, max: 60_000 },
  /** How long the rules of one unit may compute before the unit is committed early. */
  unitComputeMsMax: { default: 200, min: 1, max: 60_000 },
} as const

export type EngineOptions = Options<typeof ENGINE_OPTIONS>
