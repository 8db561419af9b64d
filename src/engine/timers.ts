import type { EventStore } from '../ports/store.ts'
import type { TimerRow } from './advance.ts'
import type { ServiceTables } from './plan.ts'
import type { Cell, Draft } from './rows.ts'

/** The timers of one service: durable rows, and in memory when the next one is due. */
export interface Timers {
  load(): Promise<void>
  nextDue(): number | undefined
  /** Timers that are due, in order of their instants; each row as a cell to work on. */
  due(nowMs: number, limit: number): Promise<readonly Cell[]>
  /** Takes over the timers that a committed draft has set. */
  committed(draft: Draft): void
}

const EVER = Number.MAX_SAFE_INTEGER

export function timersOf(store: EventStore, { timers: table }: ServiceTables): Timers {
  let next: number | undefined
  return {
    async load() {
      const where = { index: 'due', upTo: EVER }
      const [first] = await store.scan({ table, where, limit: 1 })
      next = first && Number(first.value)
    },
    nextDue: () => next,
    async due(nowMs, limit) {
      if (next === undefined || next > nowMs) return []
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
