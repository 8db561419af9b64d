import type { SQLInputValue } from 'node:sqlite'
import type { IndexValue } from '../../../ports/event-store.ts'

/**
 * Encodes an index value for its column. SQLite stores text as UTF-8, which has no lone surrogates:
 * text with one becomes bytes, which SQLite sorts after all text.
 */
export function storedValue(value: IndexValue): SQLInputValue {
  return typeof value !== 'string' || value.isWellFormed() ? value : bytesOfUnits(value)
}

export function valueOfStored(stored: unknown): unknown {
  return stored instanceof Uint8Array ? textOfUnits(stored) : stored
}

/**
 * The value that the checksum of a row was computed with. Before lone surrogates were stored as bytes,
 * SQLite replaced them by U+FFFD, while the checksum covered the text of the body.
 */
export function valueAsGiven(value: unknown, member: unknown): unknown {
  const isReplaced = typeof member === 'string' && value !== member
  return isReplaced && member.toWellFormed() === value ? member : value
}

/** Surrogates sort after all other units, so that bytes have the order of `compareText`. */
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
