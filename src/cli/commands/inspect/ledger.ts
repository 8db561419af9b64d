import type { WorkingDataRow } from '../../../control/ledger/ledger.ts'
import type { LedgerRow } from '../../../ports/ledger.ts'
import type { PayloadRow } from '../../../ports/payloads.ts'
import { PAYLOAD_COLUMNS } from '../../../ports/payloads.ts'
import type { Command } from '../../shared/command.ts'
import type { ListingView } from '../../shared/listing.ts'
import { flagArguments, oneLine, printListing, WIDTH_MAX } from '../../shared/listing.ts'

const FILTERS = ['view', 'consumer', 'status', 'type', 'event', 'key', 'topic', 'service'] as const

/** Prints a view of the ledger; by default the status of each event at each consumer, newest first. */
export const ledger: Command = async (asked) => {
  const given = flagArguments(asked.flags, FILTERS)
  const { view } = asked.flags
  if (view === 'payload') return printListing(asked, 'ledger', given, PAYLOADS)
  if (view === 'working_data') return printListing(asked, 'ledger', given, WORKING_DATA)
  return printListing(asked, 'ledger', given, EVENTS)
}

const limited = (title: string) => ({ title, widthMax: WIDTH_MAX })

const EVENTS: ListingView<LedgerRow> = {
  columns: [
    limited('EVENT_ID'),
    limited('SERVICE_MESSAGE_TYPE'),
    { title: 'STATUS' },
    limited('CREATED_BY'),
    { title: 'CREATED_DTTM' },
    limited('UPDATED_BY'),
    { title: 'UPDATED_DTTM' },
    limited('consumer'),
    { title: 'error' },
  ],
  whenEmpty: 'The ledger has no such events.',
  row: (row) => [
    row.EVENT_ID,
    row.SERVICE_MESSAGE_TYPE,
    row.resolution === null ? row.STATUS : `${row.STATUS} (${row.resolution})`,
    row.CREATED_BY ?? '',
    row.CREATED_DTTM ?? '',
    row.UPDATED_BY ?? '',
    row.UPDATED_DTTM ?? '',
    row.consumer,
    oneLine(row.error ?? ''),
  ],
}

const PAYLOADS: ListingView<PayloadRow> = {
  columns: PAYLOAD_COLUMNS.map((title) => (title === 'CREATED_DTTM' ? { title } : limited(title))),
  whenEmpty: 'The ledger has no such bodies.',
  row: (row) => PAYLOAD_COLUMNS.map((name) => oneLine(row[name] ?? '')),
}

const WORKING_DATA: ListingView<WorkingDataRow> = {
  columns: [
    { title: 'kind' },
    limited('service'),
    limited('key'),
    limited('operation'),
    { title: 'since' },
    { title: 'body' },
  ],
  whenEmpty: 'No service keeps such working data.',
  row: ({ kind, service, key, operation, since, body }) => [
    kind,
    service,
    key,
    operation ?? '',
    since ?? '',
    oneLine(body ?? ''),
  ],
}
