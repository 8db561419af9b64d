import type { WaitsFor } from './wire.ts'

/** One line of what an operation or a saga waits for. */
export interface WaitLine {
  /** Of several timers, the one that is due next. */
  readonly waits: WaitsFor
  /** The number of timers; 1 for everything else. */
  readonly count: number
}

/** One line for each thing that is waited for, and one line for all timers together. */
export function waitLines(waitsFor: readonly WaitsFor[]): readonly WaitLine[] {
  const timers = waitsFor.filter(({ kind }) => kind === 'timer')
  const place = waitsFor.findIndex(({ kind }) => kind === 'timer')
  const [next] = timers.toSorted((one, other) => dueAtOf(one) - dueAtOf(other))
  return waitsFor.flatMap((waits, at) => {
    if (waits.kind !== 'timer') return [{ waits, count: 1 }]
    return at === place && next ? [{ waits: next, count: timers.length }] : []
  })
}

/** A timer without a known time sorts last. */
const dueAtOf = (waits: WaitsFor): number =>
  (waits.kind === 'timer' ? waits.dueAt : undefined) ?? Number.MAX_SAFE_INTEGER
