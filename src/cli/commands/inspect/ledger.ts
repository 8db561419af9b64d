import type { LedgerRow } from '../../../ports/ledger.ts'
import type { Command } from '../../shared/command.ts'
import { flagArguments, oneLine, printListing, WIDTH_MAX } from '../../shared/listing.ts'

const COLUMNS = [
  { title: 'EVENT_ID', widthMax: WIDTH_MAX },
  { title: 'SERVICE_MESSAGE_TYPE', widthMax: WIDTH_MAX },
  { title: 'STATUS' },
  { title: 'CREATED_BY', widthMax: WIDTH_MAX },
  { title: 'CREATED_DTTM' },
  { title: 'UPDATED_BY', widthMax: WIDTH_MAX },
  { title: 'UPDATED_DTTM' },
  { title: 'consumer', widthMax: WIDTH_MAX },
  { title: 'error' },
]

const FILTERS = ['view', 'consumer', 'status', 'type', 'event', 'key'] as const

/** Prints the status of each event at each consumer, the newest event first. */
export const ledger: Command = async (asked) =>
  printListing<LedgerRow>(asked, 'ledger', flagArguments(asked.flags, FILTERS), {
    columns: COLUMNS,
    whenEmpty: 'The ledger has no such events.',
    row: ledgerRow,
  })

function ledgerRow(row: LedgerRow): readonly string[] {
  const status = row.resolution === null ? row.STATUS : `${row.STATUS} (${row.resolution})`
  return [
    row.EVENT_ID,
    row.SERVICE_MESSAGE_TYPE,
    status,
    row.CREATED_BY ?? '',
    row.CREATED_DTTM ?? '',
    row.UPDATED_BY ?? '',
    row.UPDATED_DTTM ?? '',
    row.consumer,
    oneLine(row.error ?? ''),
  ]
}
