/**
 * Compares text by code point. This is the order of the UTF-8 bytes, of SQLite's BINARY and of
 * PostgreSQL's "C" collation; JavaScript's `<` orders characters above U+FFFF differently.
 */
export function compareText(a: string, b: string): number {
  if (a === b) return 0
  const length = Math.min(a.length, b.length)
  for (let index = 0; index < length; index += 1) {
    const left = a.charCodeAt(index)
    const right = b.charCodeAt(index)
    if (left === right) continue
    // Surrogates encode the highest code points, but are smaller than the units from U+E000 on.
    const isLeftHigh = left >= 0xd800 && left <= 0xdfff
    const isRightHigh = right >= 0xd800 && right <= 0xdfff
    if (isLeftHigh !== isRightHigh) return isLeftHigh ? 1 : -1
    return left - right
  }
  return a.length - b.length
}
