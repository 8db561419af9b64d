import { Fault } from '../base/fault.ts'
import type { Cell } from './rows.ts'
import type { Item, Turn } from './turn.ts'
import type { Watch } from './watch.ts'

/**
 * Watches for conflicts of units that cannot be split further. Normally another commit has changed
 * a row meanwhile, and the unit is run again at once. A conflict that repeats although the rows are
 * unchanged has no such cause, and would repeat forever.
 */
export interface Conflicts {
  /**
   * Records a conflict of a unit with one message, one timer or neither, with the current rows it
   * concerns. Reports and returns a fault once no other commit explains it.
   */
  met(turn: Turn, rows: readonly (Cell | undefined)[]): Fault | undefined
  /** Clears what a unit has committed; reports recovery, unless the message was only held. */
  committed(turn: Turn): void
}

/** Consecutive conflicts over unchanged rows that are tolerated. */
const UNEXPLAINED_MAX = 3

interface Seen {
  readonly versions: string
  readonly count: number
}

export function conflictsOf(group: string, watch: Pick<Watch, 'broke' | 'mended'>): Conflicts {
  const seen = new Map<string, Seen>()
  /** Subjects that fail at the moment. */
  const reported = new Set<string>()
  const passed = (subject: string, isFlawed: boolean): void => {
    seen.delete(subject)
    if (!isFlawed && reported.delete(subject)) watch.mended(placeOf(group, subject))
  }
  return {
    met(turn, rows) {
      const subject = subjectOf(turn)
      const versions = rows.map((cell) => cell?.version ?? 0).join()
      const before = seen.get(subject)
      const count = before?.versions === versions ? before.count + 1 : 1
      seen.set(subject, { versions, count })
      if (count < UNEXPLAINED_MAX) return undefined
      const names = rows.map((cell) => `${cell?.table} ${cell?.key}`.replaceAll('\n', ' '))
      const what = names.length > 0 ? `over ${names.join(', ')}` : 'over rows that it does not name'
      const detail = `${subject}, ${count} times ${what}`
      const fault = new Fault('UNIT_CONFLICT', { detail, ids: idsOf(turn) })
      reported.add(subject)
      watch.broke(placeOf(group, subject), fault)
      return fault
    },
    committed({ items, timers }) {
      if (seen.size === 0 && reported.size === 0) return
      passed(NOTHING, false)
      for (const item of items) passed(nameOf(item), item.flaw !== undefined)
      for (const timer of timers) passed(nameOfTimer(timer), timer.flaw !== undefined)
    },
  }
}

const placeOf = (group: string, subject: string): string => `${group}: ${subject}`

const NOTHING = 'a unit without a message'

const nameOf = ({ reaction, record }: Item): string =>
  `${reaction.consumer.name} on ${record.type} ${record.id}`
const nameOfTimer = ({ key }: Cell): string => `the timer ${key}`

function subjectOf({ items: [item], timers: [timer] }: Turn): string {
  if (timer) return nameOfTimer(timer)
  return item ? nameOf(item) : NOTHING
}

function idsOf({ items: [item] }: Turn): Readonly<Record<string, string>> {
  if (!item) return {}
  const { id, key, topic } = item.record
  return { id, key, topic }
}
