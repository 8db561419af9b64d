import type { EventStore } from '../ports/store.ts'
import type { TimerRow } from './advance.ts'
import type { ServiceTables } from './plan.ts'
import type { Cell, Draft } from './rows.ts'

/** The timers of one service: durable rows, and in memory when the next one is due. */
export interface Timers {
  load(): Promise<void>
  /** When to ask for due ones again; `Infinity` for never. */
  nextDue(): number
  /** Timers that are due, in order of their instants; each row as a cell to work on. */
  due(nowMs: number, limit: number): Promise<readonly Cell[]>
  /** Takes over the timers that a committed draft has set. */
  committed(draft: Draft): void
}

const EVER = Number.MAX_SAFE_INTEGER

/**
 * Where the store is shared, another instance may have set a timer that is due here, so the rows
 * are looked at again every `lookMs`.
 */
export function timersOf(
  store: EventStore,
  { timers: table }: ServiceTables,
  lookMs: number,
): Timers {
  let next: number | undefined
  let lookAt = store.can.shared ? 0 : Infinity
  return {
    async load() {
      const where = { index: 'due', upTo: EVER }
      const [first] = await store.scan({ table, where, limit: 1 })
      next = first && Number(first.value)
    },
    nextDue: () => Math.min(next ?? Infinity, lookAt),
    async due(nowMs, limit) {
      if (nowMs < lookAt && (next === undefined || next > nowMs)) return []
      if (store.can.shared) lookAt = nowMs + lookMs
      const where = { index: 'due', upTo: EVER }
      // One row more than is due tells when to look again.
      const rows = await store.scan({ table, where, limit: limit + 1 })
      const dueRows = rows.slice(0, limit).filter(({ value }) => Number(value) <= nowMs)
      const rest = rows[dueRows.length]
      next = rest && Number(rest.value)
      return dueRows.map(({ key, version, body }) => {
        return { table, key, version, value: JSON.parse(body) as TimerRow, bytes: body.length }
      })
    },
    committed(draft) {
      for (const changed of draft.changes.values()) {
        if (changed.table !== table || changed.value === undefined) continue
        const due = Number(changed.index?.['due'])
        if (next === undefined || due < next) next = due
      }
    },
  }
}
