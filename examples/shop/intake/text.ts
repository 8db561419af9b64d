import { INTAKE_LIMITS } from './limits.ts'

const PLAIN = /^[\x20-\x7e]*$/
const CONTROL = /\p{Cc}/u
const SHOWN_LENGTH_MAX = 40

/**
 * Whether a text is a valid invoice number, product code, customer id or country: not empty, not
 * over-long, without control characters, and without remains of invalid UTF-8 (U+FFFD, lone
 * surrogates), where two different ids could have become equal.
 */
export function isId(text: string): boolean {
  if (text.length === 0 || text.length > INTAKE_LIMITS.idLengthMax) return false
  if (PLAIN.test(text)) return true
  return !CONTROL.test(text) && !text.includes('\ufffd') && text.isWellFormed()
}

/** Quotes, escapes and truncates an invalid text for a complaint. */
export function shown(text: string): string {
  if (text.length <= SHOWN_LENGTH_MAX) return JSON.stringify(text)
  const head = JSON.stringify(text.slice(0, SHOWN_LENGTH_MAX))
  return `${head}… (${counted(text.length)} characters)`
}

/** Formats a count with thousands separators: `10,000,000`. */
export function counted(count: number): string {
  return String(count).replace(/\B(?=(?:\d{3})+$)/g, ',')
}
