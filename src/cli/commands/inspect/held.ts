import type { HeldKey } from '../../../engine/listing/index.ts'
import type { Command } from '../../shared/command.ts'
import { countText, durationText, timeText } from '../../terminal/format.ts'
import {
  flagArguments,
  nextAttemptText,
  oneLine,
  printListing,
  WIDTH_MAX,
} from '../../shared/listing.ts'
import { printable } from '../../../base/text/printable.ts'

const COLUMNS = [
  { title: 'consumer', widthMax: WIDTH_MAX },
  { title: 'key', widthMax: WIDTH_MAX },
  { title: 'for', isNumber: true },
  { title: 'waiting', isNumber: true },
  { title: 'behind', widthMax: WIDTH_MAX },
  { title: 'status' },
  { title: 'attempts', isNumber: true },
  { title: 'next' },
  { title: 'error' },
]

export const held: Command = async (asked) => {
  const { flags } = asked
  return printListing<HeldKey>(asked, 'held', flagArguments(flags, ['consumer', 'key']), {
    columns: COLUMNS,
    whenEmpty: 'No keys are held.',
    row: heldKeyRow,
    ...(flags.key === undefined ? {} : { details: (items) => items.flatMap(detailsOf) }),
  })
}

/** The cells of a held key. */
export function heldKeyRow(item: HeldKey, now: number, isRunning: boolean): readonly string[] {
  const { consumer, key, since, count, event, status, attempts, nextAttemptAt, error } = item
  return [
    consumer,
    key,
    durationText(now - since),
    countText(count),
    `${event.type} ${event.id}`,
    status,
    countText(attempts),
    nextAttemptText(nextAttemptAt, now, isRunning),
    oneLine(error?.message ?? ''),
  ]
}

/** The position of the first message of a held key, and its error. */
function detailsOf({ consumer, key, event, error }: HeldKey): readonly string[] {
  const { type, id, topic, partition, offset, at } = event
  const place = `${topic}/${partition}@${offset}`
  const first = ['', `${consumer} ${key}: ${type} ${id} at ${place}, created at ${timeText(at)}`]
  if (!error) return [...first.map(printable), 'It has not failed: it waits until it is due.']
  const { message, code, stack, firstAt, lastAt } = error
  const times = [firstAt, lastAt].map((time) => (time === undefined ? 'unknown' : timeText(time)))
  return [
    ...first.map(printable),
    `First failed at ${times[0]}, last at ${times[1]}${code === undefined ? '' : ` with ${code}`}:`,
    ...(stack ?? message).split('\n').map(printable),
  ]
}
