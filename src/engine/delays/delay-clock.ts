import type { Clock } from '../../base/time/clock.ts'
import type { EventStore, RowKey, TableSpec } from '../../ports/event-store.ts'
import { rowWrite, writeRows } from '../rows/index.ts'

/**
 * The clock of stored delays. Starts from the wall clock and then runs evenly, also across
 * restarts: wall-clock steps that a process has seen do not count.
 */
export interface DelayClock {
  /** Milliseconds since 1970, except for wall-clock steps. */
  now(): number
  /** When a delay that begins now ends; rounded up, never early. */
  dueIn(delayMs: number): number
  /**
   * Wall-clock time, but never later than the start plus the elapsed time: a forward step makes
   * nothing look older than it is.
   */
  wallTimeNotAhead(): number
  /** Whether the wall clock has stepped since the start. */
  hasStepped(): boolean
  /**
   * Continues from the time that earlier processes have stored.
   *
   * @throws what the store throws
   */
  load(): Promise<void>
  /**
   * Stores a wall-clock step since the last call, for the next start. While delays are running,
   * also stores the current time about every minute.
   *
   * @throws Fault `STORE_UNKNOWN`, and what the store throws
   */
  recordSteps(isWaiting?: boolean): Promise<void>
  /**
   * Stores the current time if delays were running since it was last stored.
   *
   * @throws as `recordSteps` does
   */
  close(): Promise<void>
  /** Alarms, as sentences. */
  alarms(): readonly string[]
}

/** Readings of one clock may differ by this much; more is a step. */
export const SKEW_MS = 1_000
/** Larger than every instant, and than every value in an index of instants. */
export const INSTANT_MAX = Number.MAX_SAFE_INTEGER
/** Longer steps are reported. */
const REPORTED_STEP_MS = 60_000
/** The most that a start may lose of a delay, if its wall clock is behind. */
const STORE_EVERY_MS = 60_000

export const CLOCK_TABLE: TableSpec = { name: 'throughline.clock', indexes: [] }
const ROW: RowKey = { table: CLOCK_TABLE.name, key: 'steps' }

/** The stored row. */
interface ClockRow {
  /** Offset of the delay clock from a correct wall clock, as far as known. */
  readonly offsetMs: number
  /** The latest stored time: the next start does not begin before it. */
  readonly at: number
  /** Its offset from the wall clock of the process that wrote the row. Absent: `offsetMs`. */
  readonly ownMs?: number
}

/** `report` is called once for each long step. */
export function createDelayClock(
  store: Pick<EventStore, 'get' | 'commit'>,
  clock: Clock,
  report: (cause: Error) => void,
): DelayClock {
  // The wall clock without the steps since the start.
  const beganAt = clock.wall() - clock.elapsed()
  const unsteppedWallTime = (): number => beganAt + clock.elapsed()
  let offsetMs = 0
  /** The offset for the next start; differs while this wall clock may be behind. */
  let nextMs = 0
  let [keptMs, keptAt] = [0, clock.elapsed()]
  let hasWaited = false
  let hasStepped = false
  let alarm: string | undefined
  let storing: Promise<void> | undefined

  const now = (): number => unsteppedWallTime() + offsetMs
  /** How far the wall clock has stepped forward since the start. */
  const steppedMs = (): number => clock.wall() - unsteppedWallTime()

  async function storeSteps(totalMs: number): Promise<void> {
    const stepMs = totalMs - keptMs
    // After a step that was seen, the current wall clock is the correct one.
    const isStep = Math.abs(stepMs) > SKEW_MS
    const [baseMs, fromMs] = isStep ? [offsetMs, totalMs] : [nextMs, keptMs]
    await writeClockRow(store, { offsetMs: baseMs - fromMs, at: now(), ownMs: offsetMs - fromMs })
    ;[nextMs, keptMs, keptAt] = [baseMs, fromMs, clock.elapsed()]
    hasWaited = false
    if (Math.abs(stepMs) < REPORTED_STEP_MS) return
    alarm = stepText(stepMs, clock.wall())
    report(new Error(alarm))
  }

  /** Concurrent callers wait for the same write. */
  const storeOnce = (): Promise<void> =>
    (storing ??= storeSteps(steppedMs()).finally(() => (storing = undefined)))

  return {
    now,
    dueIn: (delayMs) => Math.ceil(now() + delayMs),
    wallTimeNotAhead: () => Math.min(clock.wall(), unsteppedWallTime()),
    hasStepped() {
      hasStepped ||= Math.abs(steppedMs()) > SKEW_MS
      return hasStepped
    },
    async load() {
      const [row] = await store.get([ROW])
      if (!row) return
      const before = JSON.parse(row.body) as ClockRow
      nextMs = before.offsetMs
      offsetMs = offsetAfter(before, unsteppedWallTime())
    },
    async recordSteps(isWaiting = false) {
      hasWaited ||= isWaiting
      const hasStep = Math.abs(steppedMs() - keptMs) > SKEW_MS
      if (hasStep) hasStepped = true
      if (hasStep || (hasWaited && clock.elapsed() - keptAt >= STORE_EVERY_MS)) await storeOnce()
    },
    async close() {
      if (hasWaited) await storeOnce()
    },
    alarms: () => (alarm === undefined ? [] : [alarm]),
  }
}

/** Offset of the delay clock from a wall clock that has not stepped since the start. */
function offsetAfter({ offsetMs, at, ownMs = offsetMs }: ClockRow, wallMs: number): number {
  // A correction of the wall clock between two processes must not take time back.
  return wallMs + offsetMs < at ? Math.max(ownMs, at - wallMs) : offsetMs
}

function stepText(stepMs: number, wallMs: number): string {
  const seconds = Math.round(Math.abs(stepMs) / 1_000)
  const way = stepMs > 0 ? 'forward' : 'back'
  const when = new Date(wallMs).toISOString()
  return `the wall clock stepped ${seconds} s ${way}, to ${when}: delays continue by elapsed time`
}

async function writeClockRow(
  store: Pick<EventStore, 'get' | 'commit'>,
  kept: ClockRow,
): Promise<void> {
  const [row] = await store.get([ROW])
  // A conflict means that another instance has just stored the same step.
  await writeRows(store, 'the step of the clock', [rowWrite(ROW, row, JSON.stringify(kept))])
}
