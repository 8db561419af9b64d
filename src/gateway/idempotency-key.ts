const KEY = /^[!-~]{1,128}$/
/** A string of structured fields (RFC 9651); parameters behind it mean nothing here. */
const QUOTED = /^"((?:[ !#-[\]-~]|\\["\\])*)"(?: *;[ -~]*)?$/

/** What the description says of the header. */
export const KEY_HEADER_PATTERN = String.raw`^(?:[!#-~][!-~]{0,127}|"(?:[!#-\[\]-~]|\\["\\]){1,128}")$`

/**
 * The key in a header `Idempotency-Key`: a quoted string, as the draft of the IETF says, or bare
 * text, which means the same key. Nothing where it is neither.
 */
export function keyFrom(header: string): string | undefined {
  const key = header.startsWith('"')
    ? QUOTED.exec(header)?.[1]?.replaceAll(/\\(["\\])/g, '$1')
    : header
  return key !== undefined && KEY.test(key) ? key : undefined
}

/** The header for a key: bare, as every version of a gateway reads it, unless it would mean another. */
export function headerOfKey(key: string): string {
  return key.startsWith('"') ? `"${key.replaceAll(/["\\]/g, String.raw`\$&`)}"` : key
}
