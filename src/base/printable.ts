// What comes out of the log must not steer a terminal, nor show a text in another order than it has.
// Escapes are those of JSON: a line that was JSON stays so, and says the same.

/** Control characters that JSON leaves as they are; marks that turn text around; line ends. */
const UNSEEN = '\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069'

const ALL = new RegExp(`[\\u0000-\\u001f${UNSEEN}]`, 'g')
/** Where several lines are text: all but their ends and tabs. */
const IN_LINES = new RegExp(`[\\u0000-\\u0008\\u000b-\\u001f${UNSEEN}]`, 'g')
/** Where colours are wanted: all but those. */
const IN_PAINTED = new RegExp(
  `\\u001b(?!\\[[0-9;]*m)|[\\u0000-\\u0008\\u000b-\\u001a\\u001c-\\u001f${UNSEEN}]`,
  'g',
)

const escaped = (char: string): string => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`

/** Text in one line. */
export const printable = (text: string): string => text.replaceAll(ALL, escaped)
/** Text in lines of its own. */
export const printableLines = (text: string): string => text.replaceAll(IN_LINES, escaped)
/** Lines that were painted. */
export const printablePainted = (text: string): string => text.replaceAll(IN_PAINTED, escaped)
