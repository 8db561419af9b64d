import type { OpenSaga } from '../../../engine/listing/index.ts'
import type { Command } from '../../shared/command.ts'
import { durationText } from '../../terminal/format.ts'
import { flagArguments, printListing, waitsForText, WIDTH_MAX } from '../../shared/listing.ts'

const COLUMNS = [
  { title: 'saga', widthMax: WIDTH_MAX },
  { title: 'instance', widthMax: WIDTH_MAX },
  { title: 'open for', isNumber: true },
  { title: 'operation', widthMax: WIDTH_MAX },
  { title: 'waits for' },
]

export const sagas: Command = async (asked) =>
  printListing<OpenSaga>(asked, 'sagas', flagArguments(asked.flags, ['saga', 'operation']), {
    columns: COLUMNS,
    whenEmpty: 'No saga instances are open.',
    row: ({ saga, instance, since, operation, waitsFor }, now) => [
      saga,
      instance,
      since === undefined ? 'unknown' : durationText(now - since),
      operation,
      waitsFor.map((each) => waitsForText(each, now)).join('; '),
    ],
  })
