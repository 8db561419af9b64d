// Splits JSON into tokens for syntax colouring.
import { showInvisible } from '../text/show-invisible.ts'

export interface Token {
  readonly kind: 'name' | 'text' | 'other' | 'mark'
  readonly text: string
}

/** Longer JSON is truncated. */
const SHOWN_MAX = 20_000
const PIECE = /("(?:\\.|[^"\\])*")(\s*:)?|(-?\d[\d.eE+-]*|true|false|null)/g

/** The tokens of a value's JSON, indented by two spaces. Joined, they give the escaped text. */
export function tokensOf(value: unknown): readonly Token[] {
  // Invisible characters occur only in strings, where the escape is valid JSON.
  const whole = showInvisible(JSON.stringify(value, undefined, 2) ?? 'nothing')
  const text = whole.length > SHOWN_MAX ? `${whole.slice(0, SHOWN_MAX)}\n…` : whole
  const tokens: Token[] = []
  let end = 0
  for (const { index, 0: all, 1: quoted, 2: colon } of text.matchAll(PIECE)) {
    if (index > end) tokens.push({ kind: 'mark', text: text.slice(end, index) })
    if (quoted === undefined) tokens.push({ kind: 'other', text: all })
    else if (colon === undefined) tokens.push({ kind: 'text', text: quoted })
    else tokens.push({ kind: 'name', text: quoted }, { kind: 'mark', text: colon })
    end = index + all.length
  }
  if (end < text.length) tokens.push({ kind: 'mark', text: text.slice(end) })
  return tokens
}
