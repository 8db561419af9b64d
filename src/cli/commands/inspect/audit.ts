import type { AuditEntry } from '../../../control/views.ts'
import type { Command } from '../../shared/command.ts'
import { flagArguments, oneLine, printListing, WIDTH_MAX } from '../../shared/listing.ts'
import { timeText } from '../../terminal/format.ts'

const COLUMNS = [
  { title: 'time' },
  { title: 'by', widthMax: WIDTH_MAX },
  { title: 'verb' },
  { title: 'arguments', widthMax: WIDTH_MAX },
  { title: 'outcome' },
  { title: 'reason' },
]

export const audit: Command = async (asked) =>
  printListing<AuditEntry>(asked, 'audit', flagArguments(asked.flags, ['by', 'verb']), {
    columns: COLUMNS,
    whenEmpty: 'Nothing has been changed by operators.',
    row: ({ at, by, verb, arguments: given, outcome, code, reason }) => [
      timeText(at),
      by,
      verb,
      Object.entries(given)
        .map(([name, value]) => `${name}=${value}`)
        .join(' '),
      code === undefined ? outcome : `${outcome}: ${code}`,
      oneLine(reason),
    ],
  })
