import type { EventStore, RowWrite, ScannedRow } from '../../ports/event-store.ts'
import type { DelayClock } from '../delays/index.ts'
import { SKEW_MS, INSTANT_MAX } from '../delays/index.ts'
import type { ServiceTables } from '../plan/index.ts'
import type { CachedRow, UnitDraft } from '../rows/index.ts'
import type { TimerRow } from '../execution/index.ts'
import { timerIndex } from '../execution/index.ts'
import { rowWrite, writeRows } from '../rows/index.ts'

/** The timers of one service: durable rows, and in memory only when the next one is due. */
export interface DueTimers {
  load(): Promise<void>
  /** When to read due timers again, by the delay clock; `Infinity` for never. */
  nextDue(): number
  /** Due timers in order of their due times, each as a row to work on. */
  due(nowMs: number, limit: number): Promise<readonly CachedRow[]>
  /** Applies the timers that a committed draft has set. */
  onCommit(draft: UnitDraft): void
}

export interface TimerTiming {
  readonly delays: DelayClock
  /**
   * In a shared store, another instance may have set a timer that is due here, so the rows are read
   * again this often.
   */
  readonly rescanMs: number
}

const PAGE = 1_000

export function createDueTimers(
  store: EventStore,
  { timers: table }: ServiceTables,
  { delays, rescanMs }: TimerTiming,
): DueTimers {
  let next: number | undefined
  let nextScanAt = store.can.shared ? 0 : Infinity

  /**
   * Timers set in the future were set while the clock was wrong: their delays start again, once.
   */
  async function restartFutureTimers(): Promise<void> {
    const where = { index: 'setAt', upTo: INSTANT_MAX }
    let isDone = false
    while (!isDone) {
      const after = { key: '', value: delays.now() + SKEW_MS }
      const rows = await store.scan({ table, where, after, limit: PAGE })
      const redated = rows.map((row) => restartTimer(row, delays))
      isDone = rows.length === 0 || (await writeRows(store, 'timers', redated)) !== 'done'
    }
  }

  return {
    async load() {
      await restartFutureTimers()
      const where = { index: 'due', upTo: INSTANT_MAX }
      const [first] = await store.scan({ table, where, limit: 1 })
      next = first && Number(first.value)
    },
    nextDue: () => Math.min(next ?? Infinity, nextScanAt),
    async due(nowMs, limit) {
      if (nowMs < nextScanAt && (next === undefined || next > nowMs)) return []
      if (store.can.shared) nextScanAt = nowMs + rescanMs
      const where = { index: 'due', upTo: INSTANT_MAX }
      const rows = await store.scan({ table, where, limit })
      const dueRows = rows.filter(({ value }) => Number(value) <= nowMs)
      // They stay due until a unit has committed them.
      next = rows[0] && Number(rows[0].value)
      return dueRows.map(({ key, version, body }) => {
        return { table, key, version, value: JSON.parse(body) as TimerRow, bytes: body.length }
      })
    },
    onCommit(draft) {
      for (const changed of draft.changes.values()) {
        if (changed.table !== table || changed.value === undefined) continue
        const due = Number(changed.index?.['due'])
        if (next === undefined || due < next) next = due
      }
    },
  }
}

function restartTimer(row: ScannedRow, delays: DelayClock): RowWrite {
  const timer = JSON.parse(row.body) as TimerRow
  const index = timerIndex(delays, timer.delayMs ?? 0)
  const redated = JSON.stringify({ ...timer, dueAt: index.due } satisfies TimerRow)
  return rowWrite(row, row, redated, index)
}
