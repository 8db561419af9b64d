import type { TimerEntry } from '../../engine/listings.ts'
import type { Command } from '../command.ts'
import { countText, timeText } from '../figures.ts'
import { givenIn, inText, printListing, timesIn, WIDTH_MAX } from '../listing.ts'

const COLUMNS = [
  { title: 'due at' },
  { title: 'due in' },
  { title: 'saga', widthMax: WIDTH_MAX },
  { title: 'instance', widthMax: WIDTH_MAX },
  { title: 'sends', widthMax: WIDTH_MAX },
  { title: 'attempts', isNumber: true },
]

export const timers: Command = async (asked) => {
  const given = { ...givenIn(asked.flags, ['saga']), ...timesIn(asked.flags, ['until']) }
  return printListing<TimerEntry>(asked, 'timers', given, {
    columns: COLUMNS,
    none: 'No timers are set.',
    row: ({ saga, instance, type, dueAt, attempts }, now) => [
      timeText(dueAt),
      inText(dueAt, now),
      saga,
      instance,
      type,
      countText(attempts),
    ],
  })
}
