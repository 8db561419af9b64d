// Text of others, made safe to look at.

/** Characters that turn the order of what stands around them, and control characters. */
const UNSEEN = /(?![\n\t])[\p{Bidi_Control}\p{Cc}]/gu

/**
 * Text with every character in sight: one that would change how its neighbours are read is written
 * as its escape, as in `\u202e`. For showing only: an id stays as it is in addresses.
 */
export function visible(text: string): string {
  return text.replaceAll(UNSEEN, escaped)
}

const escaped = (character: string): string =>
  `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
