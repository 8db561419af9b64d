import { Fault } from '../../base/fault.ts'
import type { DamagedRange } from '../../ports/damage.ts'
import { damageText } from '../../ports/damage.ts'

/** SQLite's result codes that this backend treats by name. */
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

function resultOf(cause: unknown): number {
  const { errcode } = (cause ?? {}) as { errcode?: number }
  return (errcode ?? 0) & 0xff
}

export const isBusy = (cause: unknown): boolean => resultOf(cause) === RESULT.busy
export const isFull = (cause: unknown): boolean => resultOf(cause) === RESULT.full
export const isDamaged = (cause: unknown): boolean => {
  const result = resultOf(cause)
  return result === RESULT.corrupt || result === RESULT.notADatabase
}

/**
 * Whether a failure is about a value that was to be written, such as one that SQLite cannot hold,
 * and says nothing of the disk. What Node refuses to bind has no result code at all.
 */
export const isAboutValue = (cause: unknown): boolean => {
  const result = resultOf(cause)
  const { tooBig, constraint, mismatch } = RESULT
  return result === 0 || result === tooBig || result === constraint || result === mismatch
}

/** Whether a file could not be opened that SQLite needs. */
export const isUnopenable = (cause: unknown): boolean => resultOf(cause) === RESULT.cannotOpen

/** Whether a value was there already that may be there once only. */
export const isTaken = (cause: unknown): boolean =>
  (cause as { errcode?: number } | null)?.errcode === UNIQUE

const UNIQUE = 2_067

/** Whether an entry of a stream was there already. */
export const isEntryTaken = (cause: unknown): boolean => isKeyTaken(cause, 'stream.')

/** Whether a record is there already where a new one was to come: the log goes on behind its end. */
export const isInTheWay = (cause: unknown): boolean => isKeyTaken(cause, 'log.position')

function isKeyTaken(cause: unknown, column: string): boolean {
  const { errcode, message = '' } = (cause ?? {}) as { errcode?: number; message?: string }
  return errcode === PRIMARY_KEY && message.includes(column)
}

const PRIMARY_KEY = 1_555

/** Whether SQLite itself said so, rather than whoever called it. */
export const isOfDatabase = (cause: unknown): boolean => resultOf(cause) !== 0

/** Whether the disk could not do what it should, so that nobody knows what it has kept. */
export const isOfDisk = (cause: unknown): boolean => resultOf(cause) === RESULT.ioError

/** A row of a table that everything rests on is not what was written. */
export function damagedTable(table: string, row: string): Fault {
  return new Fault('DATA_DAMAGED', {
    detail: `${row} in the table ${table} is not what was written`,
  })
}

/** A partition stands at what cannot be read. */
export function damagedRecord(topic: string, partition: number, damage: DamagedRange): Fault {
  const { code, from, to } = damage
  const range = { damage: code, from: String(from), to: String(to) }
  const ids = { topic, partition: String(partition), ...range }
  return new Fault('LOG_DAMAGED', {
    detail: `${topic}/${partition}: ${damageText(damage)}`,
    ids,
  })
}

/**
 * Says whose pages cannot be read.
 *
 * @throws Fault `DATA_DAMAGED` in place of what the database throws of damaged pages
 */
export function namingDamage<T>(what: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (!isDamaged(cause)) throw cause
    throw new Fault('DATA_DAMAGED', { detail: `${what} cannot be read`, cause })
  }
}
