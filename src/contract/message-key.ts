import { LIMITS } from '../base/limits.ts'

/** Why a key or an id is invalid, if it is. */
export function invalidKeyReason(key: unknown): string | undefined {
  if (typeof key !== 'string') return 'must be text'
  if (key.length === 0) return 'must not be empty'
  if (key.length > LIMITS.keyLengthMax) return `must have at most ${LIMITS.keyLengthMax} characters`
  // Not every backend can store control characters and lone surrogates.
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(key)) return 'must not contain control characters'
  if (!key.isWellFormed()) return 'must be well-formed Unicode'
  return undefined
}
