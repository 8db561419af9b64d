// Shared by the commands that print a list.
import { systemClock } from '../base/clock.ts'
import type { Complaint } from '../base/fault.ts'
import { Fault } from '../base/fault.ts'
import { instantOf } from '../base/instant.ts'
import type { Given, VerbName } from '../control/verbs.ts'
import type { EventView } from '../control/views.ts'
import type { Listing, WaitsFor } from '../engine/listings.ts'
import type { Asked, Flags } from './command.ts'
import { reach } from './data.ts'
import { durationText } from './figures.ts'
import type { Column } from './table.ts'
import { table } from './table.ts'

/** Maximum width of a column of keys or ids on a terminal. */
export const WIDTH_MAX = 64

/** How a list is printed as a table. */
export interface ListingView<T> {
  readonly columns: readonly Column[]
  row(item: T, now: number, isRunning: boolean): readonly string[]
  /** Printed instead of an empty list. */
  readonly none: string
  /** Lines below the table. */
  readonly details?: (items: readonly T[]) => readonly string[]
}

/** Fetches a list and prints it. Reads further pages until `--limit` items are there. */
export async function printListing<T>(
  asked: Asked,
  verb: VerbName,
  given: Given,
  view: ListingView<T>,
): Promise<number> {
  const { terminal, flags } = asked
  const { listing, isRunning } = await whole<T>(asked, verb, given)
  if (flags.json) terminal.print(JSON.stringify(listing))
  else if (listing.items.length === 0) terminal.tell(view.none)
  else {
    const now = systemClock().now()
    const shown = table(view.columns, terminal.paint, terminal.columns)
    const lines = shown.lines(listing.items.map((item) => view.row(item, now, isRunning)))
    terminal.print(shown.head())
    for (const line of [...lines, ...(view.details?.(listing.items) ?? [])]) terminal.print(line)
  }
  if (listing.next !== undefined && !flags.json)
    terminal.tell(`There is more: --after ${JSON.stringify(listing.next)}`)
  return 0
}

async function whole<T>(
  asked: Asked,
  verb: VerbName,
  given: Given,
): Promise<{ readonly listing: Listing<T>; readonly isRunning: boolean }> {
  const { limit } = asked.flags
  const items: T[] = []
  let after = asked.flags.after
  await using system = await reach(asked)
  const { isRunning } = system
  for (;;) {
    const from = after === undefined ? {} : { after }
    const wanted = { ...given, ...from, limit: limit - items.length }
    const page = (await system.run(verb, wanted)) as Listing<T>
    items.push(...page.items)
    after = page.next
    if (after === undefined) return { listing: { items }, isRunning }
    if (items.length >= limit) return { listing: { items, next: after }, isRunning }
  }
}

/** The flags with these names that were given, as arguments of a verb. */
export function givenIn(flags: Flags, names: readonly (keyof Flags)[]): Given {
  return Object.fromEntries(
    names.filter((name) => flags[name] !== undefined).map((name) => [name, flags[name]]),
  )
}

/**
 * The flags with these names, parsed as times.
 *
 * @throws Fault `OPTION_INVALID`
 */
export function timesIn(flags: Flags, names: readonly ('since' | 'until')[]): Given {
  const times = new Map<string, number>()
  const complaints: Complaint[] = []
  for (const name of names) {
    const text = flags[name]
    if (text === undefined) continue
    const instant = instantOf(text)
    if ('atMs' in instant) times.set(name, instant.atMs)
    else complaints.push({ path: name, message: `"${text}" ${instant.message}` })
  }
  if (complaints.length > 0) throw new Fault('OPTION_INVALID', { detail: 'a time', complaints })
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
    return dueAt === undefined ? `timer for ${type}` : `timer for ${type} ${inText(dueAt, now)}`
  }
  const by = waits.heldBy === undefined ? '' : `, held by ${waits.heldBy}`
  if (waits.kind === 'answer') return `reply to ${waits.command} ${waits.id}${by}`
  return `${waits.types.join(' or ') || 'an event'}${by}`
}

/** When the next attempt is due. Without an owner, there is none. */
export function nextText(at: number, now: number, isRunning: boolean): string {
  return isRunning ? inText(at, now) : 'after start'
}

/** `in 3 s`, or `now` if it is due. */
export function inText(at: number, now: number): string {
  return at <= now ? 'now' : `in ${durationText(at - now)}`
}
