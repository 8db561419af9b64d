// The history of a randomised run: one line of JSON for each thing that happened, in a file outside of
// the data directory. It is written line by line without a sync, which a killed process cannot undo.
import { closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs'
import type { Progress } from '../../../src/ports/event-store.ts'
import type { Status } from '../../../src/ports/status.ts'
import type { Outcome } from './failure-plan.ts'

/** A change of progress as a unit has it. */
export interface UnitProgress extends Progress {
  readonly from: number | null
}

/** A change of the status of an event as a unit has it. */
export interface UnitStatus {
  readonly consumer: string
  readonly id: string
  readonly from: Status
  readonly to: Status
  readonly attempts: number
  readonly isDiscarded: boolean
  readonly at: number
}

/** The effects of a unit: the entries that a consumer has handled, by key, in their order. */
export interface UnitEffects {
  readonly consumer: string
  readonly key: string
  readonly entries: readonly string[]
}

/** A row as a unit writes it; enough to see later whether the unit was committed. */
export interface UnitRow {
  readonly table: string
  readonly key: string
  /** `null` if it is deleted. */
  readonly version: number | null
}

export type HistoryLine =
  /** A process or simulated instance has started. */
  | { readonly kind: 'start'; readonly instance: number }
  /** A batch is given to `append`; batches are made from the seed. */
  | { readonly kind: 'produce'; readonly batch: number }
  /** All events of the batch are stored. */
  | { readonly kind: 'ack'; readonly batch: number }
  /** A handler begins. Pure rules do not wait, so for them only `call` is written. */
  | {
      readonly kind: 'begin'
      readonly consumer: string
      readonly id: string
      readonly effectKey: string
    }
  /** A rule has returned, or has thrown. */
  | {
      readonly kind: 'call'
      readonly consumer: string
      readonly id: string
      readonly key: string
      readonly entry: string
      /** The number of this attempt since the event came, or was redriven. */
      readonly attempt: number
      /** By the clock of its process. */
      readonly beganAt: number
      readonly endedAt: number
      readonly outcome: Outcome
    }
  /** A unit is given to the store. */
  | {
      readonly kind: 'unit'
      readonly unit: number
      readonly progress: readonly UnitProgress[]
      readonly statuses: readonly UnitStatus[]
      readonly effects: readonly UnitEffects[]
      readonly rows: readonly UnitRow[]
    }
  /** The answer of the store. Of a killed process, what was found in the store afterwards. */
  | { readonly kind: 'answer'; readonly unit: number; readonly isCommitted: boolean }
  /** Progress of all consumers in one consistent read; `isQuiet` while no unit was in flight. */
  | {
      readonly kind: 'sample'
      readonly progress: readonly Progress[]
      readonly isQuiet: boolean
    }
  /** An operator has redriven or discarded. */
  | {
      readonly kind: 'operator'
      readonly action: string
      readonly done: number
      readonly skipped: number
    }
  | { readonly kind: 'settled' }
  /** Something that must not happen. */
  | { readonly kind: 'wrong'; readonly what: string }

/** Appends lines to a history. */
export type WriteHistory = (line: HistoryLine) => void

/** Opens a history file to append to it. */
export function openHistory(file: string): WriteHistory & { close(): void } {
  const isCut = existsSync(file) && !/(?:^|\n)$/.test(readFileSync(file, 'utf8').slice(-1))
  const handle = openSync(file, 'a')
  const write = (text: string): void => void writeSync(handle, text)
  // A kill may have cut off the last line.
  if (isCut) write('\n')
  return Object.assign((line: HistoryLine): void => write(`${JSON.stringify(line)}\n`), {
    close: () => closeSync(handle),
  })
}

/** All lines of a history file, without those that a kill has cut off. */
export function readHistory(file: string): readonly HistoryLine[] {
  if (!existsSync(file)) return []
  return readFileSync(file, 'utf8').split('\n').flatMap(parsedLine)
}

function parsedLine(text: string): HistoryLine[] {
  try {
    return [JSON.parse(text) as HistoryLine]
  } catch {
    return []
  }
}
