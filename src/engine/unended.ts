import type { Clock } from '../base/clock.ts'
import { Fault } from '../base/fault.ts'
import type { EventStore, RowKey } from '../ports/store.ts'
import type { Alone } from './alone.ts'
import type { Holds } from './holds.ts'
import type { EngineOptions } from './options.ts'
import type { Group } from './plan.ts'
import { controlTable } from './pauses.ts'
import type { GroupProgress } from './progress.ts'
import type { Item, Turn } from './turn.ts'
import { updateRow } from './write-rows.ts'

/**
 * Finds the message that ends its process. While a group works it has a row, which a clean end
 * takes away. Where the row is still there at the next start, the group has ended in the middle of
 * something: then what is begun is written into the row first. Messages that were in hand when the
 * process ended once more are begun alone and counted, and one that never came to an end in
 * `unendedAttemptsMax` attempts is held as a fault, so that all others are done.
 *
 * A clean end forgets the counts, so that other code tries such a message again.
 */
export interface Unended {
  /**
   * Notes what is begun, and answers the part of the turn to work on now; the rest is read again.
   *
   * @throws Fault `STORE_UNKNOWN`
   */
  begin(turn: Turn): Promise<Turn>
  /** Takes over what a unit has committed. */
  committed(turn: Turn): void
  /** Says that nobody works on what was begun any more, but for what its unit has gone on without. */
  done(): void
  /** Says that the group has come to an end. */
  end(): Promise<void>
}

export interface UnendedParts {
  readonly store: EventStore
  readonly clock: Clock
  readonly group: Group
  readonly holds: Pick<Holds, 'shelve'>
  readonly progress: Pick<GroupProgress, 'hasPassed'>
  readonly alone: Alone
  readonly options: EngineOptions
}

/** What a row keeps: items that are in hand, with how often each was begun alone. */
interface UnendedRow {
  readonly inHand: Readonly<Record<string, number>>
}

/** Items that are begun alone at once after an unclean end: one of the first is the likely cause. */
const ALONE_AT_FIRST = 32

export function unendedOf(parts: UnendedParts): Unended {
  const { alone, group, holds, options } = parts
  const row = rowOf(parts)
  const suspects = suspectsOf()
  /** Items that are held since they have ended the process too often. */
  const parked = new Set<string>()
  let isUnclean: boolean | undefined
  /** Items that are noted before they are begun, beside retries. */
  let watchedLeft = options.unitRecordsMax
  /** Whether the row has more than the suspects. */
  let hasWatched = false

  async function load(): Promise<boolean> {
    const before = await row.read()
    if (before) suspects.load(before, passedBy(parts.progress))
    else await row.write({ inHand: {} })
    hasWatched = before !== undefined
    return before !== undefined
  }

  /** Held once as a fault; after that it waits for a start after a clean end. */
  function park(item: Item, count: number): Turn {
    const name = nameOf(item)
    if (parked.has(name) && item.held) {
      holds.shelve(item.held.holdKey)
      return NOTHING
    }
    parked.add(name)
    return { ...NOTHING, items: [{ ...item, flaw: endedBy(item, count) }] }
  }

  /** What is begun together, of which nothing is known. */
  async function together(turn: Turn): Promise<Turn> {
    const end = turn.items.findIndex((item) => suspects.has(item))
    const part = end < 0 ? turn : { ...turn, items: turn.items.slice(0, end), slices: [] }
    // Retries are few, and any of them may have been in hand.
    const watched = part.items.filter(({ held }) => held !== undefined || watchedLeft > 0)
    watchedLeft = Math.max(0, watchedLeft - part.items.length)
    if (watched.length > 0 || hasWatched) await row.write(suspects.inHand(watched, 0))
    hasWatched = watched.length > 0
    return part
  }

  return {
    async begin(turn) {
      const [first] = turn.items
      if (!first) return turn
      isUnclean ??= await load()
      if (!isUnclean) return turn
      const count = suspects.countOf(first)
      if (count === undefined) return together(turn)
      if (count >= options.unendedAttemptsMax) return park(first, count)
      // They need not wait for the permit, and no rule runs for them.
      if (turn.timers.length > 0) return { ...NOTHING, timers: turn.timers }
      if (!(await alone.take(group.id, options.idleMs))) return NOTHING
      await row.write(suspects.inHand([first], count + 1))
      return { ...NOTHING, items: [first] }
    },
    committed({ items }) {
      if (suspects.isEmpty()) return
      for (const item of items) if (!parked.has(nameOf(item))) suspects.committed(item)
    },
    done() {
      if (!suspects.isUnderWay()) alone.release(group.id)
    },
    async end() {
      if (isUnclean !== undefined) await row.write(undefined)
    },
  }
}

/** What a consumer has come past is done, or held. */
function passedBy(progress: UnendedParts['progress']): (name: string) => boolean {
  return (name) => {
    const [, consumer, topic, partition, offset] = NAME.exec(name) ?? []
    if (consumer === undefined || topic === undefined) return true
    return progress.hasPassed(consumer, topic, Number(partition), Number(offset))
  }
}

/** Items to begin alone, with how often each was. */
function suspectsOf() {
  const counts = new Map<string, number>()
  const underWay = new Set<string>()
  let aloneLeft = ALONE_AT_FIRST
  return {
    /** Of what was not begun alone, only what is yet to be done can have ended the process. */
    load({ inHand }: UnendedRow, isPassed: (name: string) => boolean): void {
      const all = Object.entries(inHand)
      for (const [name, count] of all) if (count > 0 || !isPassed(name)) counts.set(name, count)
      if (all.length > 0) aloneLeft = 0
    },
    isUnderWay: (): boolean => underWay.size > 0,
    isEmpty: (): boolean => counts.size === 0,
    has: (item: Item): boolean => counts.has(nameOf(item)),
    /** How often the item was begun alone; nothing where it need not be. */
    countOf(item: Item): number | undefined {
      const name = nameOf(item)
      const count = counts.get(name)
      if (count !== undefined || aloneLeft === 0) return count
      aloneLeft -= 1
      counts.set(name, 0)
      return 0
    },
    inHand: (items: readonly Item[], count: number): UnendedRow => {
      const begun = items.map((item) => [nameOf(item), count] as const)
      return { inHand: Object.fromEntries([...counts, ...begun]) }
    },
    committed(item: Item): void {
      const name = nameOf(item)
      const count = counts.get(name)
      if (count === undefined) return
      // What its unit has gone on without is still in hand.
      const isLeft = item.attempt?.is === 'under way'
      if (isLeft) counts.set(name, count + 1)
      else counts.delete(name)
      if (isLeft) underWay.add(name)
      else underWay.delete(name)
    },
  }
}

function rowOf({ store, clock, group, options }: UnendedParts) {
  const { id, name, service } = group
  const key: RowKey = { table: controlTable(service), key: `unended:${id}` }
  const parts = { store, clock, retryDelayMs: options.retryDelayMs }
  return {
    async read(): Promise<UnendedRow | undefined> {
      const [before] = await store.get([key])
      return before && (JSON.parse(before.body) as UnendedRow)
    },
    write: (value: UnendedRow | undefined): Promise<void> =>
      updateRow(parts, key, `what ${name} has in hand`, () =>
        value ? JSON.stringify(value) : null,
      ),
  }
}

const NOTHING: Turn = { timers: [], items: [], slices: [] }

const NAME = /^(\S+) (\S+)\/(\d+)@(\d+)$/
const nameOf = ({ reaction, record: { topic, partition, offset } }: Item): string =>
  `${reaction.consumer.id} ${topic}/${partition}@${offset}`

function endedBy({ reaction, record }: Item, count: number): Fault {
  const { id, key, topic, type } = record
  const detail = `${reaction.consumer.name} on ${type} ${id}, in each of ${count} attempts`
  return new Fault('PROCESS_ENDED', { detail, ids: { id, key, topic } })
}
