/**
 * One text for several values, by which a map finds what belongs to all of them. Only the last value
 * may contain a line break. What needs the values themselves keeps them beside: the text is not split
 * again. Rows on disk are found by such texts, too, so their form stays.
 */
export function compositeKey(
  first: string,
  second: string | number,
  third?: string | number,
): string {
  return third === undefined ? `${first}\n${second}` : `${first}\n${second}\n${third}`
}
