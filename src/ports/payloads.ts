// The bodies of messages, inside and on the wire of edges, newest first.

/**
 * A message on its way to one service, or a body on the wire of an edge. The names are those of the columns
 * of the view `payload` of a database. Times are ISO 8601 in UTC.
 */
export interface PayloadRow {
  /** The id in the other system for a body on the wire. */
  readonly EVENT_ID: string | null
  /** The external topic for a body on the wire. */
  readonly TOPIC: string | null
  /** `null` for a record without its payload, which was archived or compacted. */
  readonly SOURCE_SERVICE: string | null
  /** `null` for a message that no service reads. */
  readonly TARGET_SERVICE: string | null
  /** The text as it was sent; `null` for a tombstone, and for a record without its payload. */
  readonly PAYLOAD: string | null
  /** The service that stored it. */
  readonly CREATED_BY: string | null
  readonly CREATED_DTTM: string | null
}

export const PAYLOAD_COLUMNS = [
  'EVENT_ID',
  'TOPIC',
  'SOURCE_SERVICE',
  'TARGET_SERVICE',
  'PAYLOAD',
  'CREATED_BY',
  'CREATED_DTTM',
] as const satisfies readonly (keyof PayloadRow)[]

/** A row in the order of the bodies: by position from the newest, then by target. */
export interface PayloadCursor {
  readonly position: number
  /** Empty for none. */
  readonly target: string
}

/** Which rows to read; an absent member selects all. */
export interface PayloadQuery {
  readonly eventId?: string
  readonly topic?: string
  /** The source or the target. */
  readonly service?: string
  /** The `next` of the previous page. */
  readonly after?: PayloadCursor
  /** 1 to 1,000. */
  readonly limit: number
}

export interface PayloadPage {
  readonly rows: readonly PayloadRow[]
  /**
   * Where the next page begins; absent at the end. One call examines a limited number of records, so a
   * page may have fewer rows than asked for, or none, and still a `next`.
   */
  readonly next?: PayloadCursor
}

/** Topics that record the bodies of edges end with this, and no others have records of the wire. */
export const WIRE_TOPIC_SUFFIX = '-wire.events'
