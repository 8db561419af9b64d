/** SQLite's result codes that this backend treats by name. */
const RESULT = {
  busy: 5,
  corrupt: 11,
  full: 13,
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
