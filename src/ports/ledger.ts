// The ledger: one row for each event at each consumer, newest first.
import type { Status } from './status.ts'

/**
 * What a message is to a service. `inbound`: it came from outside, and begins a conversation. `response`:
 * it answers another message: see `LedgerSubscription`, and every record of a topic of replies.
 * `request`: any other message, which a service of the application has sent.
 */
export const LEDGER_VIEWS = ['inbound', 'request', 'response'] as const
export type LedgerView = (typeof LEDGER_VIEWS)[number]

/**
 * An event at a consumer. The names are those of the columns that the views of a database have. Times
 * are ISO 8601 in UTC. A record without its payload, which was archived or compacted, may lack
 * CREATED_BY.
 */
export interface LedgerRow {
  readonly EVENT_ID: string
  /** The wire name. */
  readonly MESSAGE_TYPE: string
  readonly SERVICE_MESSAGE_TYPE: string
  readonly STATUS: Status
  /** The `source` of its envelope. */
  readonly CREATED_BY: string | null
  readonly CREATED_DTTM: string | null
  /** Its creator while it is unprocessed, and then who processed it. */
  readonly UPDATED_BY: string | null
  readonly UPDATED_DTTM: string | null
  readonly consumer: string
  /** Failed attempts since it came, or was redriven. */
  readonly attempts: number
  readonly due: string | null
  readonly error: string | null
  readonly resolution: 'DISCARDED' | null
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

export const LEDGER_COLUMNS = [
  'EVENT_ID',
  'MESSAGE_TYPE',
  'SERVICE_MESSAGE_TYPE',
  'STATUS',
  'CREATED_BY',
  'CREATED_DTTM',
  'UPDATED_BY',
  'UPDATED_DTTM',
  'consumer',
  'attempts',
  'due',
  'error',
  'resolution',
  'topic',
  'partition',
  'offset',
] as const satisfies readonly (keyof LedgerRow)[]

/** A row in the order of the ledger: by position from the newest, then by consumer. */
export interface LedgerCursor {
  readonly position: number
  readonly consumer: string
}

/** Which rows to read; an absent member selects all. */
export interface LedgerQuery {
  readonly view?: LedgerView
  readonly consumer?: string
  readonly status?: Status
  /** Only events that their consumers have not completed, and that nobody has given up. */
  readonly isOpen?: true
  /** The wire name. */
  readonly type?: string
  readonly eventId?: string
  /** The message key. */
  readonly key?: string
  /** The `next` of the previous page. */
  readonly after?: LedgerCursor
  /** 1 to 1,000. */
  readonly limit: number
}

export interface LedgerPage {
  readonly rows: readonly LedgerRow[]
  /**
   * Where the next page begins; absent at the end. One call examines a limited number of events, so a
   * page may have fewer rows than asked for, or none, and still a `next`.
   */
  readonly next?: LedgerCursor
}

/**
 * Tables with these names hold copies of the events that wait behind a failed event of their key: the
 * record as JSON, with the index `hold` of the consumer, a colon, and any text. Consumers have passed
 * those events, which are UNPROCESSED.
 */
export const HELD_TABLE = { suffix: '.held', index: 'hold' } as const

/**
 * Tables with these names hold pages of further copies, which wait behind those: records of one topic as a
 * JSON array, with the same index, and with the topic, the offset and the position of the first record. All
 * later events of the key in that topic that the consumer has passed are held, too, if they have no status.
 */
export const HELD_PAGE_TABLE = {
  suffix: '.held-pages',
  index: 'hold',
  indexes: ['hold', 'topic', 'from', 'position'],
} as const

/**
 * Events of these types record bodies as they were on the wire of an edge, with the members `eventId`,
 * `topic`, `source`, `target` and `body`. The service is the target of what it received, and the source of
 * what it sent.
 */
export const WIRE_RECORD_TYPES = { received: 'edge.Received', sent: 'edge.Sent' } as const

/** Whether a topic has replies only. */
export const isRepliesTopic = (topic: string): boolean => topic.endsWith(REPLIES_SUFFIX)
export const REPLIES_SUFFIX = '.replies'

/** A time of a row; `null` for one that ISO 8601 cannot name with four digits of the year. */
export function ledgerTime(ms: number): string | null {
  if (!(ms >= YEAR_0_MS && ms < YEAR_10000_MS)) return null
  return new Date(Math.round(ms)).toISOString()
}

const YEAR_0_MS = -62_167_219_200_000
const YEAR_10000_MS = 253_402_300_800_000
