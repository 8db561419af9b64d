import { Fault } from '../../base/errors/fault.ts'
import type { CachedRow } from '../rows/index.ts'
import type { EngineMonitor } from '../context/index.ts'
import type { Delivery, Batch } from '../execution/index.ts'

/**
 * Watches for conflicts of units that cannot be split further. Normally another commit has changed
 * a row meanwhile, and the unit is run again at once. A conflict that repeats although the rows are
 * unchanged has no such cause, and would repeat forever.
 */
export interface UnitConflicts {
  /**
   * Records a conflict of a unit with one message, one timer or neither, with the current rows it
   * concerns. Reports and returns a fault once no other commit explains it.
   */
  onConflict(batch: Batch, rows: readonly (CachedRow | undefined)[]): Fault | undefined
  /** Clears what a unit has committed; reports recovery, unless the message was only held. */
  onCommit(batch: Batch): void
}

/** Consecutive conflicts over unchanged rows that are tolerated. */
const UNEXPLAINED_MAX = 3

interface SeenConflict {
  readonly versions: string
  readonly count: number
}

export function createUnitConflicts(
  group: string,
  monitor: Pick<EngineMonitor, 'failed' | 'recovered'>,
): UnitConflicts {
  const seen = new Map<string, SeenConflict>()
  /** Subjects that fail at the moment. */
  const reported = new Set<string>()
  const forget = (subject: string, isFlawed: boolean): void => {
    seen.delete(subject)
    if (!isFlawed && reported.delete(subject)) monitor.recovered(monitorKey(group, subject))
  }
  return {
    onConflict(batch, rows) {
      const subject = subjectText(batch)
      const versions = rows.map((row) => row?.version ?? 0).join()
      const before = seen.get(subject)
      const count = before?.versions === versions ? before.count + 1 : 1
      seen.set(subject, { versions, count })
      if (count < UNEXPLAINED_MAX) return undefined
      const names = rows.map((row) => `${row?.table} ${row?.key}`.replaceAll('\n', ' '))
      const what = names.length > 0 ? `over ${names.join(', ')}` : 'over rows that it does not name'
      const detail = `${subject}, ${count} times ${what}`
      const fault = new Fault('UNIT_CONFLICT', { detail, ids: faultIds(batch) })
      reported.add(subject)
      monitor.failed(monitorKey(group, subject), fault)
      return fault
    },
    onCommit({ deliveries, timers }) {
      if (seen.size === 0 && reported.size === 0) return
      forget(NO_MESSAGE, false)
      for (const delivery of deliveries)
        forget(deliveryText(delivery), delivery.fault !== undefined)
      for (const timer of timers) forget(timerText(timer), timer.fault !== undefined)
    },
  }
}

const monitorKey = (group: string, subject: string): string => `${group}: ${subject}`

const NO_MESSAGE = 'a unit without a message'

const deliveryText = ({ subscription, record }: Delivery): string =>
  `${subscription.consumer.name} on ${record.type} ${record.id}`
const timerText = ({ key }: CachedRow): string => `the timer ${key}`

function subjectText({ deliveries: [delivery], timers: [timer] }: Batch): string {
  if (timer) return timerText(timer)
  return delivery ? deliveryText(delivery) : NO_MESSAGE
}

function faultIds({ deliveries: [delivery] }: Batch): Readonly<Record<string, string>> {
  if (!delivery) return {}
  const { id, key, topic } = delivery.record
  return { id, key, topic }
}
