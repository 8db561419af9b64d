import { INTAKE_LIMITS } from './limits.ts'

const PLAIN = /^[\x20-\x7e]*$/
const CONTROL = /\p{Cc}/u
const SHOWN_LENGTH_MAX = 40

/**
 * Whether a text can be an invoice number, product code, customer id or country. Any text can, but
 * for empty and over-long ones, control characters, and what is left of text that was not UTF-8
 * (U+FFFD, lone surrogates): two ids could have become one there.
 */
export function isId(text: string): boolean {
  if (text.length === 0 || text.length > INTAKE_LIMITS.idLengthMax) return false
  if (PLAIN.test(text)) return true
  return !CONTROL.test(text) && !text.includes('\ufffd') && text.isWellFormed()
}

/** A dirty text as a complaint shows it: quoted, escaped, and cut. */
export function shown(text: string): string {
  if (text.length <= SHOWN_LENGTH_MAX) return JSON.stringify(text)
  const head = JSON.stringify(text.slice(0, SHOWN_LENGTH_MAX))
  return `${head}… (${counted(text.length)} characters)`
}

/** A count as people read it: `10,000,000`. */
export function counted(count: number): string {
  return String(count).replace(/\B(?=(?:\d{3})+$)/g, ',')
}
