import type { TimerRow } from './timer-row.ts'
import type { Listing, TimerEntry, TimersOptions } from './listings.ts'
import { sagasIn } from './open-sagas.ts'
import type { Listed } from './paging.ts'
import { cursorIn, EVER, limitOf, mergedPage, shownAt } from './paging.ts'
import { serviceTables } from './plan.ts'

/**
 * The timers of sagas, in the order in which they are due.
 *
 * @throws Fault `OPTION_INVALID`, `RULE_NOT_FOUND`
 */
export async function timerList(
  listed: Listed,
  { saga, until, limit, after }: TimersOptions = {},
): Promise<Listing<TimerEntry>> {
  const sagas = sagasIn(listed, saga)
  const services = [...new Set(sagas.map(({ service }) => service))]
  // In time of the delay clock.
  const upTo = until === undefined ? EVER : until - 1 - shownAt(listed, 0)
  const where = { index: 'due', upTo }
  const page = { limit: limitOf(limit), after: cursorIn(after) }
  const scanOf = (service: string) => ({ table: serviceTables(service).timers, where })
  const { rows, next } = await mergedPage(listed.backend.store, services, scanOf, page)
  const entries = rows.map(({ source, row }): TimerEntry => {
    const { rule, instance, message, attempts = 0 } = JSON.parse(row.body) as TimerRow
    const type = `${message.contract}.${message.name}`
    const dueAt = shownAt(listed, row.value)
    const id = `${source}/${rule}`
    const named = sagas.find((each) => each.id === id)?.name ?? id
    return { saga: named, instance, type, dueAt, attempts }
  })
  // All sagas of a service share one timer table.
  const items = entries.filter((entry) => saga === undefined || entry.saga === saga)
  return next === undefined ? { items } : { items, next }
}
