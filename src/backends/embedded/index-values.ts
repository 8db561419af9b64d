import type { SQLInputValue } from 'node:sqlite'
import type { IndexValue } from '../../ports/store.ts'

/**
 * An index value as its column keeps it. SQLite has text as UTF-8, in which there are no lone
 * surrogates: text with one is bytes, which SQLite orders after all text.
 */
export function storedValue(value: IndexValue): SQLInputValue {
  return typeof value !== 'string' || value.isWellFormed() ? value : bytesOfUnits(value)
}

export function valueOfStored(stored: unknown): unknown {
  return stored instanceof Uint8Array ? textOfUnits(stored) : stored
}

/**
 * What a column was to hold by the row's sum. Before lone surrogates were kept as bytes, SQLite wrote
 * U+FFFD in their place, and the sum was that of the text in the body.
 */
export function valueAsGiven(value: unknown, member: unknown): unknown {
  const isReplaced = typeof member === 'string' && value !== member
  return isReplaced && member.toWellFormed() === value ? member : value
}

/** Surrogates come behind all other units, so that bytes are in the order of `compareText`. */
const SURROGATES = { from: 0xd800, to: 0xe000 }
const COUNT = SURROGATES.to - SURROGATES.from
const BEHIND = 0x1_0000 - SURROGATES.to

function bytesOfUnits(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 2)
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at)
    const moved =
      unit < SURROGATES.from ? unit : unit < SURROGATES.to ? unit + BEHIND : unit - COUNT
    bytes[at * 2] = moved >> 8
    bytes[at * 2 + 1] = moved & 0xff
  }
  return bytes
}

function textOfUnits(bytes: Uint8Array): string {
  let text = ''
  for (let at = 0; at + 1 < bytes.length; at += 2) {
    const moved = ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
    const isSurrogate = moved >= SURROGATES.from + BEHIND
    const unit = moved < SURROGATES.from ? moved : isSurrogate ? moved - BEHIND : moved + COUNT
    text += String.fromCharCode(unit)
  }
  return text
}
