import { systemClock } from '../../../base/time/clock.ts'
import { Fault } from '../../../base/errors/fault.ts'
import { printable } from '../../../base/text/printable.ts'
import type {
  DeadLetterCause,
  DeadLetterEntry,
  RedrivePreview,
  RedriveProgress,
} from '../../../control/views.ts'
import type { ListPage } from '../../../engine/listing/index.ts'
import { deadLetterDetails, previewLines } from '../../shared/dead-letter-text.ts'
import type { Command, Invocation } from '../../shared/command.ts'
import { flagArguments, oneLine, printListing, timeArguments } from '../../shared/listing.ts'
import { WIDTH_MAX } from '../../shared/listing.ts'
import type { OpenSystem } from '../../shared/open-system.ts'
import { openForWriting, openSystem, writeArguments } from '../../shared/open-system.ts'
import { EXIT_CODES } from '../../terminal/exit-codes.ts'
import { barText, countText, durationText, manyText, timeText } from '../../terminal/format.ts'
import { table } from '../../terminal/table.ts'
import { editDeadLetter, undoDeadLetterEdit } from './edit-dead-letter.ts'

const BAR_WIDTH = 30

export const dead: Command = async (asked) => {
  const [action = 'list'] = asked.args
  if (Object.hasOwn(ACTIONS, action)) return (ACTIONS[action] as Command)(asked)
  const message = `is not an action: the actions are ${Object.keys(ACTIONS).join(', ')}`
  throw new Fault('OPTION_INVALID', { detail: 'dead', issues: [{ path: action, message }] })
}

/** The filter of the flags, with the id that the command line names. */
function filterOf({ args, flags }: Invocation): Readonly<Record<string, unknown>> {
  const [, id] = args
  return {
    ...(id === undefined ? {} : { id }),
    ...flagArguments(flags, ['consumer', 'key', 'type', 'cause']),
    ...timeArguments(flags, ['since', 'until']),
  }
}

const COLUMNS = [
  { title: 'consumer', widthMax: WIDTH_MAX },
  { title: 'key', widthMax: WIDTH_MAX },
  { title: 'message', widthMax: WIDTH_MAX },
  { title: 'failed', isNumber: true },
  { title: 'attempts', isNumber: true },
  { title: 'behind', isNumber: true },
  { title: 'cause', widthMax: WIDTH_MAX },
  { title: 'error' },
]

const list: Command = (asked) =>
  printListing<DeadLetterEntry>(asked, 'dead', filterOf(asked), {
    columns: COLUMNS,
    whenEmpty: 'There are no dead letters.',
    row: ({ consumer, key, event, failedAt, attempts, heldBehind, cause, error }, now) => [
      consumer,
      key,
      `${event.type} ${event.id}`,
      `${durationText(now - failedAt)} ago`,
      countText(attempts),
      countText(heldBehind),
      cause,
      oneLine(error.message),
    ],
  })

const CAUSE_COLUMNS = [
  { title: 'cause', widthMax: WIDTH_MAX },
  { title: 'count', isNumber: true },
  { title: 'consumer', widthMax: WIDTH_MAX },
  { title: 'types', widthMax: WIDTH_MAX },
  { title: 'first' },
  { title: 'last' },
  { title: 'code' },
  { title: 'error' },
]

const causes: Command = async (asked) => {
  const { terminal, flags } = asked
  await using system = await openSystem(asked)
  const found = (await system.run('dead-causes', filterOf(asked))) as readonly DeadLetterCause[]
  if (flags.json) terminal.print(JSON.stringify(found))
  else if (found.length === 0) terminal.notice('There are no dead letters.')
  else {
    const shown = table(CAUSE_COLUMNS, terminal.paint, terminal.columns)
    const rows = found.map((each) => [
      each.cause,
      countText(each.count),
      each.consumer,
      each.types.join(', '),
      timeText(each.firstAt),
      timeText(each.lastAt),
      each.code ?? '',
      oneLine(each.message),
    ])
    const lines = shown.lines(rows)
    for (const line of [shown.head(), ...lines]) terminal.print(line)
  }
  return EXIT_CODES.ok.code
}

const show: Command = async (asked) => {
  const { terminal, args, flags } = asked
  const id = requiredId(args)
  await using system = await openSystem(asked)
  const given = { ...filterOf(asked), limit: flags.limit }
  const { items } = (await system.run('dead', given)) as ListPage<DeadLetterEntry>
  if (items.length === 0)
    throw new Fault('MESSAGE_NOT_FOUND', { detail: `no dead letter ${id}`, ids: { id } })
  if (flags.json) terminal.print(JSON.stringify(items))
  else {
    const now = systemClock().now()
    for (const [at, letter] of items.entries()) {
      if (at > 0) terminal.print('')
      for (const line of deadLetterDetails(letter, now)) terminal.print(line)
    }
  }
  return EXIT_CODES.ok.code
}

const preview: Command = async (asked) => {
  const { terminal, flags } = asked
  await using system = await openSystem(asked)
  const seen = (await system.run('dead-preview', filterOf(asked))) as RedrivePreview
  if (flags.json) terminal.print(JSON.stringify(seen))
  else for (const line of previewLines(seen, 'redrive')) terminal.print(line)
  return EXIT_CODES.ok.code
}

async function resolveLetters(verb: 'redrive' | 'discard', asked: Invocation): Promise<number> {
  const { terminal, flags } = asked
  const filter = filterOf(asked)
  const given = {
    ...filter,
    ...flagArguments(flags, ['all', 'perSecond']),
    ...writeArguments(flags),
  }
  await using system = await openForWriting(asked)
  // Arguments that are not valid are reported before anybody is asked.
  const isSelected = Object.keys(filter).length > 0 || flags.all === true
  const hasReason = verb === 'redrive' || flags.reason !== undefined
  if (isSelected && hasReason && !flags.yes && !(await isConfirmed(verb, asked, system))) {
    terminal.notice('Nothing was changed.')
    return EXIT_CODES.failed.code
  }
  const changed = (await system.run(`dead-${verb}`, given, ({ done, total }) => {
    const counted = `${countText(done)} of ${manyText(total, 'dead letter')}`
    terminal.progress(`${barText(done, total, BAR_WIDTH)}  ${counted}`)
  })) as RedriveProgress
  terminal.progress('')
  if (flags.json) terminal.print(JSON.stringify(changed))
  else {
    const done = verb === 'redrive' ? 'Redriven' : 'Discarded'
    terminal.print(`${done}: ${manyText(changed.done, 'dead letter')}.`)
    if (changed.skipped > 0)
      terminal.print(`${countText(changed.skipped)} had been resolved meanwhile.`)
  }
  const { id } = filter
  if (typeof id !== 'string' || changed.done + changed.skipped > 0) return EXIT_CODES.ok.code
  terminal.notice(
    `No dead letter has the id ${id}. throughline chain ${id} shows what became of it.`,
  )
  return EXIT_CODES.failed.code
}

/** Shows what would happen, and asks. */
async function isConfirmed(
  verb: 'redrive' | 'discard',
  asked: Invocation,
  system: OpenSystem,
): Promise<boolean> {
  const { terminal, flags } = asked
  if (!terminal.canAsk) return true
  const seen = (await system.run('dead-preview', filterOf(asked))) as RedrivePreview
  if (!flags.json) for (const line of previewLines(seen, verb)) terminal.notice(line)
  if (seen.letters === 0) return true
  const name = verb === 'redrive' ? 'Redrive' : 'Discard'
  return terminal.confirm(printable(`${name} ${manyText(seen.letters, 'dead letter')}?`))
}

function requiredId([, id]: readonly string[]): string {
  if (id !== undefined) return id
  const issues = [{ path: 'id', message: 'is missing: name the id of a message' }]
  throw new Fault('OPTION_INVALID', { detail: 'dead', issues })
}

const ACTIONS: Readonly<Record<string, Command>> = {
  list,
  causes,
  show,
  preview,
  redrive: (asked) => resolveLetters('redrive', asked),
  discard: (asked) => resolveLetters('discard', asked),
  edit: (asked) => editDeadLetter(asked, requiredId(asked.args)),
  'undo-edit': (asked) => undoDeadLetterEdit(asked, requiredId(asked.args)),
}
