// Shared by the commands that print a list.
import { systemClock } from '../../base/time/clock.ts'
import type { Issue } from '../../base/errors/fault.ts'
import { Fault } from '../../base/errors/fault.ts'
import { parseInstant } from '../../base/time/instant.ts'
import type { VerbArguments, VerbName } from '../../control/verbs.ts'
import type { EventView } from '../../control/views.ts'
import type { ListPage, WaitsFor } from '../../engine/listing/index.ts'
import type { Invocation, Flags } from './command.ts'
import { openSystem } from './open-system.ts'
import { durationText } from '../terminal/format.ts'
import type { Column } from '../terminal/table.ts'
import { table } from '../terminal/table.ts'

/** Maximum width of a column of keys or ids on a terminal. */
export const WIDTH_MAX = 64

/** How a list is printed as a table. */
export interface ListingView<T> {
  readonly columns: readonly Column[]
  row(item: T, now: number, isRunning: boolean): readonly string[]
  /** Printed instead of an empty list. */
  readonly whenEmpty: string
  /** Lines below the table. */
  readonly details?: (items: readonly T[]) => readonly string[]
}

/** Fetches a list and prints it. Reads further pages until `--limit` items are there. */
export async function printListing<T>(
  asked: Invocation,
  verb: VerbName,
  given: VerbArguments,
  view: ListingView<T>,
): Promise<number> {
  const { terminal, flags } = asked
  const { listing, isRunning } = await fetchAll<T>(asked, verb, given)
  if (flags.json) terminal.print(JSON.stringify(listing))
  else if (listing.items.length === 0) terminal.notice(view.whenEmpty)
  else {
    const now = systemClock().now()
    const shown = table(view.columns, terminal.paint, terminal.columns)
    const lines = shown.lines(listing.items.map((item) => view.row(item, now, isRunning)))
    terminal.print(shown.head())
    for (const line of [...lines, ...(view.details?.(listing.items) ?? [])]) terminal.print(line)
  }
  if (listing.next !== undefined && !flags.json)
    terminal.notice(`There is more: --after ${JSON.stringify(listing.next)}`)
  return 0
}

async function fetchAll<T>(
  asked: Invocation,
  verb: VerbName,
  given: VerbArguments,
): Promise<{ readonly listing: ListPage<T>; readonly isRunning: boolean }> {
  const { limit } = asked.flags
  const items: T[] = []
  let after = asked.flags.after
  await using system = await openSystem(asked)
  const { isRunning } = system
  for (;;) {
    const from = after === undefined ? {} : { after }
    const options = { ...given, ...from, limit: limit - items.length }
    const page = (await system.run(verb, options)) as ListPage<T>
    items.push(...page.items)
    after = page.next
    if (after === undefined) return { listing: { items }, isRunning }
    if (items.length >= limit) return { listing: { items, next: after }, isRunning }
  }
}

/** The flags with these names that were given, as arguments of a verb. */
export function flagArguments(flags: Flags, names: readonly (keyof Flags)[]): VerbArguments {
  return Object.fromEntries(
    names.filter((name) => flags[name] !== undefined).map((name) => [name, flags[name]]),
  )
}

/**
 * The flags with these names, parsed as times.
 *
 * @throws Fault `OPTION_INVALID`
 */
export function timeArguments(flags: Flags, names: readonly ('since' | 'until')[]): VerbArguments {
  const times = new Map<string, number>()
  const issues: Issue[] = []
  for (const name of names) {
    const text = flags[name]
    if (text === undefined) continue
    const instant = parseInstant(text)
    if ('atMs' in instant) times.set(name, instant.atMs)
    else issues.push({ path: name, message: `"${text}" ${instant.message}` })
  }
  if (issues.length > 0) throw new Fault('OPTION_INVALID', { detail: 'a time', issues })
  return Object.fromEntries(times)
}

/** The producer of a message: `ordering/fulfilment`, or `outside` for a client. */
export function sourceText({ source, rule }: Pick<EventView, 'source' | 'rule'>): string {
  if (source === 'door') return 'outside'
  return rule === undefined ? source : `${source}/${rule}`
}

export function waitsForText(waits: WaitsFor, now: number): string {
  if (waits.kind === 'timer') {
    const { type, dueAt } = waits
    return dueAt === undefined ? `timer for ${type}` : `timer for ${type} ${untilText(dueAt, now)}`
  }
  const by = waits.heldBy === undefined ? '' : `, held by ${waits.heldBy}`
  if (waits.kind === 'answer') return `reply to ${waits.command} ${waits.id}${by}`
  return `${waits.types.join(' or ') || 'an event'}${by}`
}

/** A text that may have several lines, such as a fault with its cure, on one line. */
export function oneLine(text: string): string {
  return text.replaceAll('\n', ': ')
}

/** When the next attempt is due. Without an owner, there is none; nor for a dead letter. */
export function nextAttemptText(at: number | undefined, now: number, isRunning: boolean): string {
  if (at === undefined) return 'none: it has failed'
  return isRunning ? untilText(at, now) : 'after start'
}

/** `in 3 s`, or `now` if it is due. */
export function untilText(at: number, now: number): string {
  return at <= now ? 'now' : `in ${durationText(at - now)}`
}
