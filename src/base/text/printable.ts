// Text of the log must not contain control sequences for a terminal, nor characters that reorder text.
// The escapes are those of JSON, so that a line of JSON stays JSON with the same meaning.

/** Control characters that JSON does not escape, marks of text direction, Unicode line separators. */
const INVISIBLE = '\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069'

const CONTROL = new RegExp(`[\\u0000-\\u001f${INVISIBLE}]`, 'g')
/** In text of several lines: all but line feeds and tabs. */
const CONTROL_IN_LINES = new RegExp(`[\\u0000-\\u0008\\u000b-\\u001f${INVISIBLE}]`, 'g')
/** In styled text: all but colour sequences. */
const CONTROL_IN_STYLED = new RegExp(
  `\\u001b(?!\\[[0-9;]*m)|[\\u0000-\\u0008\\u000b-\\u001a\\u001c-\\u001f${INVISIBLE}]`,
  'g',
)

const escaped = (char: string): string => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`

/** Escapes text that is printed on one line. */
export const printable = (text: string): string => text.replaceAll(CONTROL, escaped)
/** Escapes text of several lines. */
export const printableLines = (text: string): string => text.replaceAll(CONTROL_IN_LINES, escaped)
/** Escapes text that contains colour sequences. */
export const printableStyled = (text: string): string => text.replaceAll(CONTROL_IN_STYLED, escaped)
