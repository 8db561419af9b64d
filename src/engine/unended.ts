import type { Clock } from '../base/clock.ts'
import { Fault } from '../base/fault.ts'
import type { EventStore, RowKey } from '../ports/store.ts'
import type { Alone } from './alone.ts'
import type { Holds } from './holds.ts'
import type { Group } from './plan.ts'
import { controlTable } from './plan.ts'
import type { Item, Turn } from './turn.ts'
import { updateRow } from './write-rows.ts'

/**
 * Finds the message that crashes its process. While a group works it has a row, which a clean stop
 * deletes. If the row exists at the next start, the process has crashed: from then on, deliveries
 * are written into the row before they begin. Those in progress at another crash are suspects: each
 * begins alone and is counted, and one that has not completed within `crashedAttemptsMax` attempts
 * is held with an error, so that all others go on.
 *
 * A clean stop resets the counts, so that fixed code tries such a message again.
 */
export interface Unended {
  /**
   * Records what is about to begin, and returns the part of the batch to work on now; the rest is
   * read again.
   *
   * @throws Fault `STORE_UNKNOWN`
   */
  begin(turn: Turn): Promise<Turn>
  /** Applies a committed unit. */
  committed(turn: Turn): void
  /** Ends the work that `begin` began, except for handler calls that were left behind. */
  done(): void
  /** Records a clean stop of the group. */
  end(): Promise<void>
}

export interface UnendedParts {
  readonly store: EventStore
  readonly clock: Clock
  readonly group: Group
  readonly holds: Pick<Holds, 'shelve'>
  readonly progress: {
    hasPassed(consumer: string, topic: string, partition: number, offset: number): boolean
  }
  readonly alone: Alone
  readonly options: {
    readonly idleMs: number
    readonly retryDelayMs: number
    readonly unendedAttemptsMax: number
    readonly unitRecordsMax: number
  }
}

/** The stored row: deliveries in progress, with how often each was begun alone. */
interface UnendedRow {
  readonly inHand: Readonly<Record<string, number>>
}

/** Deliveries that begin alone right after a crash: one of the first is its likely cause. */
const ALONE_AT_FIRST = 32

export function unendedOf(parts: UnendedParts): Unended {
  const { alone, group, holds, options } = parts
  const row = rowOf(parts)
  const suspects = suspectsOf()
  /** Deliveries that are held because they crashed the process too often. */
  const parked = new Set<string>()
  let isUnclean: boolean | undefined
  /** Deliveries that are still recorded before they begin, beside retries. */
  let watchedLeft = options.unitRecordsMax
  /** Whether the row contains more than the suspects. */
  let hasWatched = false

  async function load(): Promise<boolean> {
    const before = await row.read()
    if (before) suspects.load(before, passedBy(parts.progress))
    else await row.write({ inHand: {} })
    hasWatched = before !== undefined
    return before !== undefined
  }

  /** Holds a suspect with an error once; after that, it waits for a start after a clean stop. */
  function park(item: Item, count: number): Turn {
    const name = nameOf(item)
    if (parked.has(name) && item.held) {
      holds.shelve(item.held.holdKey)
      return NOTHING
    }
    parked.add(name)
    return { ...NOTHING, items: [{ ...item, flaw: endedBy(item, count) }] }
  }

  /** Begins several deliveries together, none of them a suspect. */
  async function together(turn: Turn): Promise<Turn> {
    const end = turn.items.findIndex((item) => suspects.has(item))
    const part = end < 0 ? turn : { ...turn, items: turn.items.slice(0, end), slices: [] }
    // Retries are few, and any of them may have caused the crash.
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
      // Timers need no permit, and no rule runs for them.
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

/** A delivery that its consumer has passed was handled or held. */
function passedBy(progress: UnendedParts['progress']): (name: string) => boolean {
  return (name) => {
    const [, consumer, topic, partition, offset] = NAME.exec(name) ?? []
    if (consumer === undefined || topic === undefined) return true
    return progress.hasPassed(consumer, topic, Number(partition), Number(offset))
  }
}

/** Deliveries to begin alone, with how often each was begun. */
function suspectsOf() {
  const counts = new Map<string, number>()
  const underWay = new Set<string>()
  let aloneLeft = ALONE_AT_FIRST
  return {
    /** Of deliveries that did not begin alone, only unfinished ones can have caused the crash. */
    load({ inHand }: UnendedRow, isPassed: (name: string) => boolean): void {
      const all = Object.entries(inHand)
      for (const [name, count] of all) if (count > 0 || !isPassed(name)) counts.set(name, count)
      if (all.length > 0) aloneLeft = 0
    },
    isUnderWay: (): boolean => underWay.size > 0,
    isEmpty: (): boolean => counts.size === 0,
    has: (item: Item): boolean => counts.has(nameOf(item)),
    /** How often the delivery was begun alone; `undefined` if it need not be. */
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
      // A call that its unit left behind is still in progress.
      const isLeft = item.attempt?.is === 'running'
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
      updateRow(parts, key, `the deliveries that ${name} has begun`, () =>
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
