/**
 * Combines several values into one text, as the key of a map or row. Only the last value may contain
 * a line break. Only `operationIdIn` splits a key again. Stored rows have such keys, so their format must stay.
 */
export function compositeKey(
  first: string,
  second: string | number,
  third?: string | number,
): string {
  return third === undefined ? `${first}\n${second}` : `${first}\n${second}\n${third}`
}
