/** A lower-case UUID of version 7, as ids are made here: its first bits are the time. */
const OURS = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/

/**
 * An id as it is stored: one of our own as its 16 bytes, in an index that grows at one end; any
 * other text as it is, in an index of its own, because ids in no order make an index slow.
 */
export function storedId(id: string): string | Uint8Array {
  return id.length === 36 && OURS.test(id) ? bytesOfId(id) : id
}

export function idText(stored: unknown): string {
  if (typeof stored === 'string') return stored
  // A damaged page may hold anything; the sum of the record tells.
  const bytes = stored instanceof Uint8Array ? stored : new Uint8Array()
  let text = ''
  for (let at = 0; at < bytes.length; at += 1) {
    if (at === 4 || at === 6 || at === 8 || at === 10) text += '-'
    text += HEX[bytes[at] as number]
  }
  return text
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))
const NIBBLE = new Uint8Array(103)
for (let digit = 0; digit < 16; digit += 1) NIBBLE[digit.toString(16).charCodeAt(0)] = digit

function bytesOfId(id: string): Uint8Array {
  const bytes = new Uint8Array(16)
  let at = 0
  for (let from = 0; from < 36; from += 2) {
    if (from === 8 || from === 13 || from === 18 || from === 23) from += 1
    const nibbles = (NIBBLE[id.charCodeAt(from)] as number) << 4
    bytes[at] = nibbles | (NIBBLE[id.charCodeAt(from + 1)] as number)
    at += 1
  }
  return bytes
}
