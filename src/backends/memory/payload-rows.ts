import { compareText } from '../../base/text/compare-text.ts'
import type { LogRecord } from '../../ports/event-log.ts'
import { WIRE_RECORD_TYPES, ledgerTime } from '../../ports/ledger.ts'
import type { PayloadPage, PayloadQuery, PayloadRow } from '../../ports/payloads.ts'
import type { LedgerSources } from './ledger-rows.ts'
import { headFields } from './ledger-rows.ts'

type Sources = Pick<LedgerSources, 'records' | 'subscriptions'>

export function readPayloads(sources: Sources, query: PayloadQuery): PayloadPage {
  const { after, limit } = query
  const found = sources.records().flatMap((record) => {
    const position = record.position ?? 0
    return rowsOf(sources, record)
      .map((row) => ({ row, position, target: row.TARGET_SERVICE ?? '' }))
      .filter(({ row }) => isWanted(row, query))
      .filter(
        ({ target }) =>
          !after ||
          position < after.position ||
          (position === after.position && compareText(target, after.target) > 0),
      )
  })
  const rows = found.slice(0, limit).map(({ row }) => row)
  const last = found.length > limit ? found[limit - 1] : undefined
  return last ? { rows, next: { position: last.position, target: last.target } } : { rows }
}

function isWanted(row: PayloadRow, { eventId, topic, service }: PayloadQuery): boolean {
  return (
    (eventId === undefined || row.EVENT_ID === eventId) &&
    (topic === undefined || row.TOPIC === topic) &&
    (service === undefined || row.SOURCE_SERVICE === service || row.TARGET_SERVICE === service)
  )
}

/** One row for a body on the wire, and one for each service that reads another record. */
function rowsOf({ subscriptions }: Sources, record: LogRecord): readonly PayloadRow[] {
  const { id, type, topic, data, at } = record
  const time = { CREATED_DTTM: ledgerTime(at) }
  const { received, sent } = WIRE_RECORD_TYPES
  if (type === received || type === sent) {
    const wire = JSON.parse(data ?? '{}') as Readonly<Record<string, string>>
    const { eventId = null, topic: external = null, source = null, target = null, body } = wire
    return [
      {
        EVENT_ID: eventId,
        TOPIC: external,
        SOURCE_SERVICE: source,
        TARGET_SERVICE: target,
        PAYLOAD: body ?? null,
        CREATED_BY: type === received ? target : source,
        ...time,
      },
    ]
  }
  const source = headFields(record).source ?? null
  const readers = subscriptions().filter((each) => each.topic === topic && each.type === type)
  const targets = [...new Set(readers.map(({ service }) => service))].toSorted(compareText)
  return (targets.length === 0 ? [null] : targets).map((target) => ({
    EVENT_ID: id,
    TOPIC: topic,
    SOURCE_SERVICE: source,
    TARGET_SERVICE: target,
    PAYLOAD: data,
    CREATED_BY: source,
    ...time,
  }))
}
