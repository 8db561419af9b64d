import { Fault } from '../../../base/errors/fault.ts'
import type { DamagedRange } from '../../../ports/damage.ts'
import { damageText } from '../../../ports/damage.ts'

/** The SQLite result codes that this backend handles. */
const RESULT = {
  busy: 5,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  tooBig: 18,
  constraint: 19,
  mismatch: 20,
  notADatabase: 26,
} as const

function resultCodeOf(cause: unknown): number {
  const { errcode } = (cause ?? {}) as { errcode?: number }
  return (errcode ?? 0) & 0xff
}

export const isBusy = (cause: unknown): boolean => resultCodeOf(cause) === RESULT.busy
export const isDiskFull = (cause: unknown): boolean => resultCodeOf(cause) === RESULT.full
export const isCorrupt = (cause: unknown): boolean => {
  const result = resultCodeOf(cause)
  return result === RESULT.corrupt || result === RESULT.notADatabase
}

/**
 * Whether an error is about a value to write, such as one that SQLite cannot hold, and not about the
 * disk. Values that Node refuses to bind have no result code.
 */
export const isValueError = (cause: unknown): boolean => {
  const result = resultCodeOf(cause)
  const { tooBig, constraint, mismatch } = RESULT
  return result === 0 || result === tooBig || result === constraint || result === mismatch
}

/** Whether SQLite could not open a file. */
export const isCannotOpen = (cause: unknown): boolean => resultCodeOf(cause) === RESULT.cannotOpen

/** Whether a unique index already has the value. */
export const isUniqueViolation = (cause: unknown): boolean =>
  (cause as { errcode?: number } | null)?.errcode === UNIQUE

const UNIQUE = 2_067

/** Whether a stream already has the entry. */
export const isStreamEntryTaken = (cause: unknown): boolean => isPrimaryKeyTaken(cause, 'stream.')

/** Whether a record already has the position of a new one: the log continues behind its end. */
export const isPositionTaken = (cause: unknown): boolean => isPrimaryKeyTaken(cause, 'log.position')

function isPrimaryKeyTaken(cause: unknown, column: string): boolean {
  const { errcode, message = '' } = (cause ?? {}) as { errcode?: number; message?: string }
  return errcode === PRIMARY_KEY && message.includes(column)
}

const PRIMARY_KEY = 1_555

/** Whether the error comes from SQLite, and not from a caller. */
export const isSqliteError = (cause: unknown): boolean => resultCodeOf(cause) !== 0

/** Whether the disk failed, so that its state is unknown. */
export const isIoError = (cause: unknown): boolean => resultCodeOf(cause) === RESULT.ioError

/** The fault for a damaged row of a system table. */
export function damagedTableFault(table: string, row: string): Fault {
  return new Fault('DATA_DAMAGED', {
    detail: `${row} in the table ${table} is not what was written`,
  })
}

/** The fault for a damaged record of a partition. */
export function damagedRecordFault(topic: string, partition: number, damage: DamagedRange): Fault {
  const { code, from, to } = damage
  const range = { damage: code, from: String(from), to: String(to) }
  const ids = { topic, partition: String(partition), ...range }
  return new Fault('LOG_DAMAGED', {
    detail: `${topic}/${partition}: ${damageText(damage)}`,
    ids,
  })
}

/**
 * Runs a read and adds what was read to an error about damaged pages.
 *
 * @throws Fault `DATA_DAMAGED` in place of SQLite's corruption errors
 */
export function withDamageFault<T>(what: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (!isCorrupt(cause)) throw cause
    throw new Fault('DATA_DAMAGED', { detail: `${what} cannot be read`, cause })
  }
}
