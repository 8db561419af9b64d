import type { OpenSaga } from '../../engine/listings.ts'
import type { Command } from '../command.ts'
import { durationText } from '../figures.ts'
import { givenIn, printListing, waitsForText, WIDTH_MAX } from '../listing.ts'

const COLUMNS = [
  { title: 'saga', widthMax: WIDTH_MAX },
  { title: 'instance', widthMax: WIDTH_MAX },
  { title: 'open for', isNumber: true },
  { title: 'operation', widthMax: WIDTH_MAX },
  { title: 'waits for' },
]

export const sagas: Command = async (asked) =>
  printListing<OpenSaga>(asked, 'sagas', givenIn(asked.flags, ['saga', 'operation']), {
    columns: COLUMNS,
    none: 'No saga instances are open.',
    row: ({ saga, instance, since, operation, waitsFor }, now) => [
      saga,
      instance,
      since === undefined ? 'unknown' : durationText(now - since),
      operation,
      waitsFor.map((each) => waitsForText(each, now)).join('; '),
    ],
  })
