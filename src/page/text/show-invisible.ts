// Escapes invisible characters in text from outside.

/** Bidirectional controls, which change the order of their neighbours, and control characters. */
const INVISIBLE = /(?![\n\t])[\p{Bidi_Control}\p{Cc}]/gu

/**
 * The text with invisible characters written as escapes, such as `\u202e`. For display only: ids in
 * addresses stay unescaped.
 */
export function showInvisible(text: string): string {
  return text.replaceAll(INVISIBLE, escaped)
}

const escaped = (character: string): string =>
  `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
