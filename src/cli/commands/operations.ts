import type { OperationEntry } from '../../engine/listings.ts'
import type { Command } from '../command.ts'
import { timeText } from '../figures.ts'
import { givenIn, printListing, timesIn, waitsForText, WIDTH_MAX } from '../listing.ts'

const COLUMNS = [
  { title: 'time' },
  { title: 'command', widthMax: WIDTH_MAX },
  { title: 'key', widthMax: WIDTH_MAX },
  { title: 'id', widthMax: WIDTH_MAX },
  { title: 'state' },
  { title: 'waits for, or reason' },
]

export const operations: Command = async (asked) => {
  const { flags } = asked
  const given = {
    ...givenIn(flags, ['state', 'key', 'type']),
    ...timesIn(flags, ['since', 'until']),
  }
  return printListing<OperationEntry>(asked, 'operations', given, {
    columns: COLUMNS,
    none: 'No operations match.',
    row: ({ at, command, key, id, state, waitsFor }, now) => [
      timeText(at),
      command,
      key,
      id,
      state.status,
      state.reason ?? waitsFor.map((each) => waitsForText(each, now)).join('; '),
    ],
  })
}
