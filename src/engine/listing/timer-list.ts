import type { TimerRow } from '../execution/index.ts'
import type { ListPage, TimerEntry, TimersOptions } from './list-types.ts'
import { findSagas } from './open-sagas.ts'
import type { ListSource } from './paging.ts'
import { parseCursor, validateLimit, readMergedPage, toWallTime } from './paging.ts'
import { serviceTables } from '../plan/index.ts'
import { INSTANT_MAX } from '../delays/index.ts'

/**
 * The timers of sagas, in the order in which they are due.
 *
 * @throws Fault `OPTION_INVALID`, `RULE_NOT_FOUND`
 */
export async function listTimers(
  listed: ListSource,
  { saga, until, limit, after }: TimersOptions = {},
): Promise<ListPage<TimerEntry>> {
  const sagas = findSagas(listed, saga)
  const services = [...new Set(sagas.map(({ service }) => service))]
  // In time of the delay clock.
  const upTo = until === undefined ? INSTANT_MAX : until - 1 - toWallTime(listed, 0)
  const where = { index: 'due', upTo }
  const page = { limit: validateLimit(limit), after: parseCursor(after) }
  const scanOf = (service: string) => ({ table: serviceTables(service).timers, where })
  const { rows, next } = await readMergedPage(listed.backend.store, services, scanOf, page)
  const entries = rows.map(({ source, row }): TimerEntry => {
    const { rule, instance, message, attempts = 0 } = JSON.parse(row.body) as TimerRow
    const type = `${message.contract}.${message.name}`
    const dueAt = toWallTime(listed, row.value)
    const id = `${source}/${rule}`
    const named = sagas.find((each) => each.id === id)?.name ?? id
    return { saga: named, instance, type, dueAt, attempts }
  })
  // All sagas of a service share one timer table.
  const items = entries.filter((entry) => saga === undefined || entry.saga === saga)
  return next === undefined ? { items } : { items, next }
}
