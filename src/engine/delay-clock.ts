import type { Clock } from '../base/clock.ts'
import type { EventStore, RowKey, TableSpec } from '../ports/store.ts'
import { rowWrite, writeRows } from './write-rows.ts'

/**
 * What delays in rows are measured by. Counts evenly from the wall clock at start, and goes on from
 * there after a restart: steps of the wall clock that a process has seen do not count.
 */
export interface DelayClock {
  /** Milliseconds since 1970, give or take the steps of the wall clock. */
  now(): number
  /** When a delay that begins now is over; never early. */
  dueIn(delayMs: number): number
  /**
   * Wall-clock time, but no later than at start plus the time that has passed since: a step ahead
   * makes nothing older than it is.
   */
  notAhead(): number
  /** Whether the wall clock has stepped since the start. */
  hasStepped(): boolean
  /**
   * Goes on from where the processes before this one came to.
   *
   * @throws what the store throws
   */
  load(): Promise<void>
  /**
   * Keeps a step that the wall clock has made since the last look, for the next start; and while
   * something waits, about every minute what this clock has come to.
   *
   * @throws Fault `STORE_UNKNOWN`, and what the store throws
   */
  look(isWaiting?: boolean): Promise<void>
  /**
   * Keeps what this clock has come to, if something has waited since that was last kept.
   *
   * @throws as `look` does
   */
  end(): Promise<void>
  /** What somebody should look at, as sentences. */
  alarms(): readonly string[]
}

/** Two readings of one clock may differ by this much; more is a step. */
export const SKEW_MS = 1_000
/** A longer step than this is reported. */
const REPORTED_MS = 60_000
/** How much of a delay a start may not know to have passed, where its wall clock is behind. */
const KEPT_EVERY_MS = 60_000

export const CLOCK_TABLE: TableSpec = { name: 'throughline.clock', indexes: [] }
const ROW: RowKey = { table: CLOCK_TABLE.name, key: 'steps' }

/** What the row keeps. */
interface Kept {
  /** How far the delay clock is from a wall clock that is right, as far as anybody has seen. */
  readonly offsetMs: number
  /** What the delay clock had come to: the next start does not begin before it. */
  readonly at: number
  /** How far it was from the wall clock of the process that wrote this. Absent: `offsetMs`. */
  readonly ownMs?: number
}

/** `report` hears of each long step once. */
export function delayClock(
  store: Pick<EventStore, 'get' | 'commit'>,
  clock: Clock,
  report: (cause: Error) => void,
): DelayClock {
  // The wall clock as it would be without the steps since the start.
  const beganAt = clock.wall() - clock.elapsed()
  const unstepped = (): number => beganAt + clock.elapsed()
  let offsetMs = 0
  /** The offset for the next start, which is another one while this wall clock may be behind. */
  let nextMs = 0
  let [keptMs, keptAt] = [0, clock.elapsed()]
  let hasWaited = false
  let hasStepped = false
  let alarm: string | undefined
  let keeping: Promise<void> | undefined

  const now = (): number => unstepped() + offsetMs
  /** How far the wall clock has stepped ahead since the start. */
  const steppedMs = (): number => clock.wall() - unstepped()

  async function keep(totalMs: number): Promise<void> {
    const stepMs = totalMs - keptMs
    // A step that was seen tells which wall clock is right: the one of now.
    const isStep = Math.abs(stepMs) > SKEW_MS
    const [baseMs, fromMs] = isStep ? [offsetMs, totalMs] : [nextMs, keptMs]
    await write(store, { offsetMs: baseMs - fromMs, at: now(), ownMs: offsetMs - fromMs })
    ;[nextMs, keptMs, keptAt] = [baseMs, fromMs, clock.elapsed()]
    hasWaited = false
    if (Math.abs(stepMs) < REPORTED_MS) return
    alarm = stepText(stepMs, clock.wall())
    report(new Error(alarm))
  }

  /** Whoever comes meanwhile waits for the same. */
  const kept = (): Promise<void> =>
    (keeping ??= keep(steppedMs()).finally(() => (keeping = undefined)))

  return {
    now,
    dueIn: (delayMs) => Math.ceil(now() + delayMs),
    notAhead: () => Math.min(clock.wall(), unstepped()),
    hasStepped() {
      hasStepped ||= Math.abs(steppedMs()) > SKEW_MS
      return hasStepped
    },
    async load() {
      const [row] = await store.get([ROW])
      if (!row) return
      const before = JSON.parse(row.body) as Kept
      nextMs = before.offsetMs
      offsetMs = offsetAfter(before, unstepped())
    },
    async look(isWaiting = false) {
      hasWaited ||= isWaiting
      const hasStep = Math.abs(steppedMs() - keptMs) > SKEW_MS
      if (hasStep) hasStepped = true
      if (hasStep || (hasWaited && clock.elapsed() - keptAt >= KEPT_EVERY_MS)) await kept()
    },
    async end() {
      if (hasWaited) await kept()
    },
    alarms: () => (alarm === undefined ? [] : [alarm]),
  }
}

/** How far the delay clock is from a wall clock that has not stepped since the start. */
function offsetAfter({ offsetMs, at, ownMs = offsetMs }: Kept, wallMs: number): number {
  // What was wrong and was put right while nobody looked takes no time back.
  return wallMs + offsetMs < at ? Math.max(ownMs, at - wallMs) : offsetMs
}

function stepText(stepMs: number, wallMs: number): string {
  const seconds = Math.round(Math.abs(stepMs) / 1_000)
  const way = stepMs > 0 ? 'ahead' : 'back'
  const when = new Date(wallMs).toISOString()
  return `the wall clock has stepped ${seconds} s ${way}, to ${when}: delays go on by the time that passes`
}

async function write(store: Pick<EventStore, 'get' | 'commit'>, kept: Kept): Promise<void> {
  const [row] = await store.get([ROW])
  // A conflict means that another instance has just seen the same step.
  await writeRows(store, 'the step of the clock', [rowWrite(ROW, row, JSON.stringify(kept))])
}
