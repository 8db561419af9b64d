import type { Clock } from '../base/clock.ts'
import type { EventStore, RowKey, TableSpec } from '../ports/store.ts'
import { writeRows } from './write-rows.ts'

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
   * Keeps a step that the wall clock has made since the last look, for the next start.
   *
   * @throws Fault `STORE_UNKNOWN`, and what the store throws
   */
  look(): Promise<void>
  /** What somebody should look at, as sentences. */
  alarms(): readonly string[]
}

/** Two readings of one clock may differ by this much; more is a step. */
export const SKEW_MS = 1_000
/** A longer step than this is reported. */
const REPORTED_MS = 60_000

export const CLOCK_TABLE: TableSpec = { name: 'throughline.clock', indexes: [] }
const ROW: RowKey = { table: CLOCK_TABLE.name, key: 'steps' }

/** What the row keeps: how far the delay clock is from the wall clock, and what it had come to. */
interface Kept {
  readonly offsetMs: number
  readonly at: number
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
  let keptMs = 0
  let hasStepped = false
  let alarm: string | undefined
  let keeping: Promise<void> | undefined

  const now = (): number => unstepped() + offsetMs
  /** How far the wall clock has stepped ahead since the start. */
  const steppedMs = (): number => clock.wall() - unstepped()

  async function keep(totalMs: number): Promise<void> {
    await write(store, { offsetMs: offsetMs - totalMs, at: now() })
    const stepMs = totalMs - keptMs
    keptMs = totalMs
    if (Math.abs(stepMs) < REPORTED_MS) return
    alarm = stepText(stepMs, clock.wall())
    report(new Error(alarm))
  }

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
      const kept = JSON.parse(row.body) as Kept
      // What was wrong and was put right while nobody looked takes no time back.
      offsetMs = Math.max(kept.offsetMs, kept.at - unstepped())
    },
    async look() {
      const totalMs = steppedMs()
      if (Math.abs(totalMs - keptMs) <= SKEW_MS) return
      hasStepped = true
      keeping ??= keep(totalMs).finally(() => (keeping = undefined))
      await keeping
    },
    alarms: () => (alarm === undefined ? [] : [alarm]),
  }
}

function stepText(stepMs: number, wallMs: number): string {
  const seconds = Math.round(Math.abs(stepMs) / 1_000)
  const way = stepMs > 0 ? 'ahead' : 'back'
  const when = new Date(wallMs).toISOString()
  return `the wall clock has stepped ${seconds} s ${way}, to ${when}: delays go on by the time that passes`
}

async function write(store: Pick<EventStore, 'get' | 'commit'>, kept: Kept): Promise<void> {
  const [row] = await store.get([ROW])
  const expected = row?.version ?? 0
  const written = { ...ROW, expected, version: expected + 1, body: JSON.stringify(kept) }
  // A conflict means that another instance has just seen the same step.
  await writeRows(store, 'the step of the clock', [written])
}
