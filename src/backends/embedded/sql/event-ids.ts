/**
 * Encodes an id for storage. A lower-case UUID v7, whose first bits are the time, becomes its 16 bytes,
 * in an index that grows at one end. Any other text is stored as it is, in a separate index, because
 * ids in random order slow an index down.
 */
export function storedId(id: string): string | Uint8Array {
  return (id.length === 36 && id[14] === '7' && bytesOfId(id)) || id
}

export function idText(stored: unknown): string {
  if (typeof stored === 'string') return stored
  // A damaged page may hold any value; the checksum of the record detects that.
  const bytes = stored instanceof Uint8Array ? stored : new Uint8Array()
  let text = ''
  for (let at = 0; at < bytes.length; at += 1) {
    if (at === 4 || at === 6 || at === 8 || at === 10) text += '-'
    text += HEX[bytes[at] as number]
  }
  return text
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))
/** The value of a lower-case hexadecimal digit; `NONE` for any other character. */
const NONE = 16
const NIBBLE = new Uint8Array(128).fill(NONE)
for (let digit = 0; digit < 16; digit += 1) NIBBLE[digit.toString(16).charCodeAt(0)] = digit
const DASH = '-'.charCodeAt(0)

function bytesOfId(id: string): Uint8Array | undefined {
  const bytes = new Uint8Array(16)
  let at = 0
  for (let from = 0; from < 36; from += 2) {
    if (from === 8 || from === 13 || from === 18 || from === 23) {
      if (id.charCodeAt(from) !== DASH) return undefined
      from += 1
    }
    const high = NIBBLE[id.charCodeAt(from)] ?? NONE
    const low = NIBBLE[id.charCodeAt(from + 1)] ?? NONE
    if (high === NONE || low === NONE) return undefined
    bytes[at] = (high << 4) | low
    at += 1
  }
  return bytes
}
