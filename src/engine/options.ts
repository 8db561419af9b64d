import { availableParallelism } from 'node:os'
import type { Options } from '../base/options.ts'

/** How the engine works; every number has a unit in its name, a default and bounds. */
export const ENGINE_OPTIONS = {
  /** Records that one unit of work takes at most. Higher is faster, and holds locks longer. */
  unitRecordsMax: { initial: 512, min: 1, max: 10_000 },
  /** Bytes of JSON that one unit of work reads at most. */
  unitBytesMax: { initial: 4_194_304, min: 65_536, max: 268_435_456 },
  /** State that one service keeps in memory between units. */
  cacheBytesMax: { initial: 16_777_216, min: 1_048_576, max: 4_294_967_296 },
  /** Bytes of messages that wait for their ack at the door; beyond, `BACKPRESSURE`. */
  sendBytesMax: { initial: 16_777_216, min: 1_048_576, max: 1_073_741_824 },
  /** Events that a consumer may lag behind before the door says `BACKPRESSURE`. */
  lagEventsMax: { initial: 1_000_000, min: 1, max: 1_000_000_000 },
  /** Events that a consumer may lag behind and still keep retention from taking them away. */
  retentionLagEventsMax: { initial: 10_000_000, min: 1, max: 1_000_000_000_000 },
  /** How often it is looked whether topics hold more than their retention says. */
  upkeepMs: { initial: 60_000, min: 100, max: 86_400_000 },
  /**
   * Records older than this are history: a rule that is new to them has to say where it begins. What
   * is younger may come from services that are started for the first time together.
   */
  historyAgeMs: { initial: 600_000, min: 0, max: 86_400_000 },
  /** How long a call to a backend may take before its answer counts as unknown. */
  deadlineMs: { initial: 15_000, min: 100, max: 300_000 },
  /** How long a claim lasts without a beat. */
  leaseMs: { initial: 30_000, min: 300, max: 600_000 },
  /** How long a read waits for more when all is done. */
  idleMs: { initial: 1_000, min: 1, max: 60_000 },
  /** How long an event that a queue has handled may wait for its ack while others take longer. */
  queueAckMs: { initial: 500, min: 10, max: 60_000 },
  /** Wait before the first retry of a fault; each further one doubles it … */
  retryDelayMs: { initial: 200, min: 1, max: 3_600_000 },
  /** … up to this. */
  retryDelayMsMax: { initial: 60_000, min: 1, max: 86_400_000 },
  /** Records that the background look for damage reads in a second; 0 for none. */
  scanRecordsMax: { initial: 500, min: 0, max: 1_000_000 },
  /** Attempts at a message that end the process before the message is held. */
  unendedAttemptsMax: { initial: 3, min: 1, max: 100 },
  /** Threads for the handlers that ask for one; where it is 0, these run where the app runs. */
  threadsMax: { initial: Math.max(1, availableParallelism() - 1), min: 0, max: 256 },
  /** What one thread may have in memory, garbage included; beyond, it is ended in the middle. */
  threadBytesMax: { initial: 536_870_912, min: 16_777_216, max: 68_719_476_736 },
  /** Health alarms once a key has been held behind a fault for this long; 0 for never. */
  heldAlarmMs: { initial: 60_000, min: 0, max: 31_536_000_000 },
  /** Health alarms once the event in front of a held key has failed this often; 0 for never. */
  heldAlarmAttempts: { initial: 3, min: 0, max: 1_000_000 },
  /** Health alarms once a record has waited this long for a consumer to read it; 0 for never. */
  lagAlarmMs: { initial: 60_000, min: 0, max: 31_536_000_000 },
  /** Health alarms once a timer is overdue by this much; 0 for never. */
  timerAlarmMs: { initial: 60_000, min: 0, max: 31_536_000_000 },
  /** Health alarms once an instance of a saga has been open for this long; 0 for never. */
  sagaAlarmMs: { initial: 0, min: 0, max: 31_536_000_000 },
  /** Health alarms once an operation has been pending for this long; 0 for never. */
  operationAlarmMs: { initial: 0, min: 0, max: 31_536_000_000 },
  /** How long one run of a rule may hold up everybody else before it is named as slow. */
  ruleBudgetMs: { initial: 100, min: 1, max: 60_000 },
  /** How long all rules of one unit may compute before it is committed as far as it has come. */
  unitComputeMsMax: { initial: 200, min: 1, max: 60_000 },
} as const

export type EngineOptions = Options<typeof ENGINE_OPTIONS>
