import type { EventStore, RowWrite, ScannedRow } from '../ports/store.ts'
import type { DelayClock } from './delay-clock.ts'
import { SKEW_MS } from './delay-clock.ts'
import { EVER } from './paging.ts'
import type { ServiceTables } from './plan.ts'
import type { Cell, Draft } from './rows.ts'
import type { TimerRow } from './timer-row.ts'
import { timerIndex } from './timer-row.ts'
import { rowWrite, writeRows } from './write-rows.ts'

/** The timers of one service: durable rows, and in memory only when the next one is due. */
export interface Timers {
  load(): Promise<void>
  /** When to read due timers again, by the delay clock; `Infinity` for never. */
  nextDue(): number
  /** Due timers in order of their due times, each as a row to work on. */
  due(nowMs: number, limit: number): Promise<readonly Cell[]>
  /** Applies the timers that a committed draft has set. */
  committed(draft: Draft): void
}

export interface TimerTimes {
  readonly delays: DelayClock
  /**
   * In a shared store, another instance may have set a timer that is due here, so the rows are read
   * again this often.
   */
  readonly lookMs: number
}

const PAGE = 1_000

export function timersOf(
  store: EventStore,
  { timers: table }: ServiceTables,
  { delays, lookMs }: TimerTimes,
): Timers {
  let next: number | undefined
  let lookAt = store.can.shared ? 0 : Infinity

  /**
   * Timers set in the future were set while the clock was wrong: their delays start again, once.
   */
  async function redate(): Promise<void> {
    const where = { index: 'setAt', upTo: EVER }
    let isDone = false
    while (!isDone) {
      const after = { key: '', value: delays.now() + SKEW_MS }
      const rows = await store.scan({ table, where, after, limit: PAGE })
      const redated = rows.map((row) => redatedTimer(row, delays))
      isDone = rows.length === 0 || (await writeRows(store, 'timers', redated)) !== 'done'
    }
  }

  return {
    async load() {
      await redate()
      const where = { index: 'due', upTo: EVER }
      const [first] = await store.scan({ table, where, limit: 1 })
      next = first && Number(first.value)
    },
    nextDue: () => Math.min(next ?? Infinity, lookAt),
    async due(nowMs, limit) {
      if (nowMs < lookAt && (next === undefined || next > nowMs)) return []
      if (store.can.shared) lookAt = nowMs + lookMs
      const where = { index: 'due', upTo: EVER }
      const rows = await store.scan({ table, where, limit })
      const dueRows = rows.filter(({ value }) => Number(value) <= nowMs)
      // They stay due until a unit has committed them.
      next = rows[0] && Number(rows[0].value)
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

function redatedTimer(row: ScannedRow, delays: DelayClock): RowWrite {
  const timer = JSON.parse(row.body) as TimerRow
  const index = timerIndex(delays, timer.delayMs ?? 0)
  const redated = JSON.stringify({ ...timer, dueAt: index.due } satisfies TimerRow)
  return rowWrite(row, row, redated, index)
}
