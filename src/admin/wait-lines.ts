import type { WaitsFor } from './wire.ts'

/** A line of what somebody waits for. */
export interface WaitLine {
  /** Of several timers the one that is due next. */
  readonly waits: WaitsFor
  /** How many timers it is; 1 for everything else. */
  readonly count: number
}

/** What somebody waits for, one a line, and all timers as one: they would read the same. */
export function waitLines(waitsFor: readonly WaitsFor[]): readonly WaitLine[] {
  const timers = waitsFor.filter(({ kind }) => kind === 'timer')
  const place = waitsFor.findIndex(({ kind }) => kind === 'timer')
  const [next] = timers.toSorted((one, other) => dueAtOf(one) - dueAtOf(other))
  return waitsFor.flatMap((waits, at) => {
    if (waits.kind !== 'timer') return [{ waits, count: 1 }]
    return at === place && next ? [{ waits: next, count: timers.length }] : []
  })
}

/** One of which it is not known comes last. */
const dueAtOf = (waits: WaitsFor): number =>
  (waits.kind === 'timer' ? waits.dueAt : undefined) ?? Number.MAX_SAFE_INTEGER
