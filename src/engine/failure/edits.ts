import { decodeEnvelope, encodeHead } from '../../contract/envelope.ts'
import type { LogRecord } from '../../ports/event-log.ts'
import type { EventStore, Row, RowKey } from '../../ports/event-store.ts'
import type { EditedRecord } from '../execution/index.ts'
import { controlTable } from '../plan/index.ts'
import { scanPages } from '../rows/index.ts'
import { placeHoldKey } from './hold-row.ts'

/**
 * An edit of a message for one consumer: whenever the consumer reads the message, it gets this data.
 * The log keeps the original, and other consumers read that.
 */
export interface EditRow {
  readonly consumer: string
  /** The data as JSON text; `null` for a discarded message, which is not read again. */
  readonly json: string | null
  /** The version of its message type. */
  readonly version: number
  readonly by: string
  readonly reason: string
  /** When it was made, by the wall clock. */
  readonly at: number
}

const PREFIX = 'edit:'
const PAGE = 1_000

/** The key of an edit in the control table of the service. */
export function editKey(
  service: string,
  consumer: string,
  record: Pick<LogRecord, 'topic' | 'partition' | 'offset'>,
): RowKey {
  const key = `${PREFIX}${placeHoldKey({ id: consumer }, record)}`
  return { table: controlTable(service), key }
}

/** The edits of a service's messages. Few are expected: all are in memory. */
export interface Edits {
  load(): Promise<void>
  /** The record as a consumer reads it; `undefined` where nothing was edited. */
  readonly editedRecord: EditedRecord
  /** The records that a consumer reads again, as it reads them: without discarded ones. */
  readRecord(consumer: string, record: LogRecord): LogRecord | undefined
}

export function createEdits(store: EventStore, service: string): Edits {
  const edits = new Map<string, EditRow>()
  const find = (consumer: string, record: LogRecord): EditRow | undefined =>
    edits.size === 0 ? undefined : edits.get(editKey(service, consumer, record).key)
  return {
    async load() {
      edits.clear()
      for await (const { key, body } of editRows(store, service))
        edits.set(key, JSON.parse(body) as EditRow)
    },
    editedRecord(consumer, record) {
      const edit = find(consumer, record)
      return edit && edit.json !== null ? applyEdit(record, edit.json, edit.version) : undefined
    },
    readRecord(consumer, record) {
      const edit = find(consumer, record)
      if (!edit) return record
      return edit.json === null ? undefined : applyEdit(record, edit.json, edit.version)
    },
  }
}

async function* editRows(store: EventStore, service: string): AsyncGenerator<Row> {
  const scan = { table: controlTable(service), after: { key: PREFIX }, limit: PAGE }
  for await (const rows of scanPages(store, scan)) {
    const found = rows.filter(({ key }) => key.startsWith(PREFIX))
    yield* found
    if (found.length < rows.length) return
  }
}

/** The record with the data of an edit. */
function applyEdit(record: LogRecord, json: string, version: number): LogRecord {
  const { version: _, ...envelope } = decodeEnvelope(record)
  return { ...record, data: json, head: encodeHead({ ...envelope, version }) }
}
