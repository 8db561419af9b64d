import { compareText } from '../../base/text/compare-text.ts'
import type { LogRecord } from '../../ports/event-log.ts'
import type { Progress } from '../../ports/event-store.ts'
import type { LedgerPage, LedgerQuery, LedgerRow, LedgerView } from '../../ports/ledger.ts'
import { isRepliesTopic, ledgerTime } from '../../ports/ledger.ts'
import type { ConsumedEvent, LedgerSubscription } from '../../ports/status.ts'
import type { Ledger } from './ledger.ts'

/** What the rows of the ledger are made of. */
export interface LedgerSources {
  readonly ledger: Ledger
  /** All records, the newest first. */
  records(): readonly LogRecord[]
  subscriptions(): readonly LedgerSubscription[]
  progress(event: ConsumedEvent): Progress | undefined
  /** Whether the event waits behind another one of its key. */
  isHeld(event: ConsumedEvent): boolean
}

interface Found {
  readonly row: LedgerRow
  readonly record: LogRecord
  readonly view: LedgerView
}

export function readLedger(sources: LedgerSources, query: LedgerQuery): LedgerPage {
  const { after, limit } = query
  const subscriptions = sources
    .subscriptions()
    .toSorted((a, b) => compareText(a.consumer, b.consumer))
  const found: Found[] = []
  for (const record of sources.records())
    for (const subscription of subscriptions) {
      const { consumer, topic, type } = subscription
      if (topic !== record.topic || type !== record.type) continue
      const position = record.position ?? 0
      if (after && position > after.position) continue
      if (after && position === after.position && compareText(consumer, after.consumer) <= 0)
        continue
      const view = viewOf(record, subscription)
      const row = rowOf(sources, record, subscription)
      if (isWanted({ row, record, view }, query)) found.push({ row, record, view })
    }
  const last = found[limit - 1]
  const rows = found.slice(0, limit).map(({ row }) => row)
  if (!last || found.length <= limit) return { rows }
  return { rows, next: { position: last.record.position ?? 0, consumer: last.row.consumer } }
}

function isWanted({ row, record, view }: Found, query: LedgerQuery): boolean {
  const { consumer, status, type, eventId, key } = query
  return (
    (query.view === undefined || view === query.view) &&
    (consumer === undefined || row.consumer === consumer) &&
    (status === undefined || row.STATUS === status) &&
    (!query.isOpen || (row.STATUS !== 'COMPLETED' && row.resolution === null)) &&
    (type === undefined || row.MESSAGE_TYPE === type) &&
    (eventId === undefined || row.EVENT_ID === eventId) &&
    (key === undefined || record.key === key)
  )
}

/** The members of a head that the ledger shows. */
interface HeadFields {
  readonly source?: string
  readonly hops?: number
}

export function headFields({ head }: LogRecord): HeadFields {
  try {
    return (JSON.parse(head) ?? {}) as HeadFields
  } catch {
    return {}
  }
}

function viewOf(record: LogRecord, { isResponse }: LedgerSubscription): LedgerView {
  if (isResponse || isRepliesTopic(record.topic)) return 'response'
  return (headFields(record).hops ?? 0) === 0 ? 'inbound' : 'request'
}

function rowOf(
  sources: LedgerSources,
  record: LogRecord,
  { consumer, service }: LedgerSubscription,
): LedgerRow {
  const { id, type, topic, partition, offset, at } = record
  const event = { consumer, topic, partition, offset }
  const status = sources.ledger.find(event)
  const isPassed = (sources.progress(event)?.next ?? 0) > offset && !sources.isHeld(event)
  const range = isPassed ? sources.ledger.range(event) : undefined
  const source = headFields(record).source ?? null
  // A range begins before most of the events that it contains.
  const passedAt = range ? Math.max(range.at, at) : at
  const passedBy = isPassed ? (range?.by ?? service) : source
  return {
    EVENT_ID: id,
    MESSAGE_TYPE: type,
    SERVICE_MESSAGE_TYPE: type,
    STATUS: status?.status ?? (isPassed ? 'COMPLETED' : 'UNPROCESSED'),
    CREATED_BY: source,
    CREATED_DTTM: ledgerTime(at),
    UPDATED_BY: status?.updatedBy ?? passedBy,
    UPDATED_DTTM: ledgerTime(status?.updatedAt ?? passedAt),
    attempts: status?.attempts ?? 0,
    due: status?.dueAt === null || status === undefined ? null : ledgerTime(status.dueAt),
    error: status?.error ?? null,
    resolution: status?.resolution ?? null,
    ...event,
  }
}
