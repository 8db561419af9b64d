import type { OperationEntry } from '../../../engine/listing/index.ts'
import type { Command } from '../../shared/command.ts'
import { timeText } from '../../terminal/format.ts'
import {
  flagArguments,
  printListing,
  timeArguments,
  waitsForText,
  WIDTH_MAX,
} from '../../shared/listing.ts'

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
    ...flagArguments(flags, ['state', 'key', 'type']),
    ...timeArguments(flags, ['since', 'until']),
  }
  return printListing<OperationEntry>(asked, 'operations', given, {
    columns: COLUMNS,
    whenEmpty: 'No operations match.',
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
