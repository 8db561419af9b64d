import type { TimerEntry } from '../../../engine/listing/index.ts'
import type { Command } from '../../shared/command.ts'
import { countText, timeText } from '../../terminal/format.ts'
import {
  flagArguments,
  untilText,
  printListing,
  timeArguments,
  WIDTH_MAX,
} from '../../shared/listing.ts'

const COLUMNS = [
  { title: 'due at' },
  { title: 'due in' },
  { title: 'saga', widthMax: WIDTH_MAX },
  { title: 'instance', widthMax: WIDTH_MAX },
  { title: 'sends', widthMax: WIDTH_MAX },
  { title: 'attempts', isNumber: true },
]

export const timers: Command = async (asked) => {
  const given = {
    ...flagArguments(asked.flags, ['saga']),
    ...timeArguments(asked.flags, ['until']),
  }
  return printListing<TimerEntry>(asked, 'timers', given, {
    columns: COLUMNS,
    whenEmpty: 'No timers are set.',
    row: ({ saga, instance, type, dueAt, attempts }, now) => [
      timeText(dueAt),
      untilText(dueAt, now),
      saga,
      instance,
      type,
      countText(attempts),
    ],
  })
}
