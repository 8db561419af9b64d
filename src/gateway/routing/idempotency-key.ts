const KEY = /^[!-~]{1,128}$/
/** A string of structured fields (RFC 9651). Parameters behind it are ignored. */
const QUOTED = /^"((?:[ !#-[\]-~]|\\["\\])*)"(?: *;[ -~]*)?$/

/** The pattern of the header in the OpenAPI document. */
export const KEY_HEADER_PATTERN = String.raw`^(?:[!#-~][!-~]{0,127}|"(?:[!#-\[\]-~]|\\["\\]){1,128}")$`

/**
 * Parses the header `Idempotency-Key`: a quoted string, as in the IETF draft, or bare text. Both
 * forms give the same key. Returns `undefined` if the header is neither.
 */
export function keyFrom(header: string): string | undefined {
  const key = header.startsWith('"')
    ? QUOTED.exec(header)?.[1]?.replaceAll(/\\(["\\])/g, '$1')
    : header
  return key !== undefined && KEY.test(key) ? key : undefined
}

/** The header for a key: bare text, or quoted if the key itself begins with a quote. */
export function headerOfKey(key: string): string {
  return key.startsWith('"') ? `"${key.replaceAll(/["\\]/g, String.raw`\$&`)}"` : key
}
