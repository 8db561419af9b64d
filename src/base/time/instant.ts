/** A date, optionally with a time of day and its zone: the forms that ISO 8601 and RFC 3339 share. */
const INSTANT_PATTERN =
  /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)?)?$/

const MINUTE_MS = 60_000

/** Milliseconds since 1970, or the reason why a text is not an instant. */
export type ParsedInstant = { readonly atMs: number } | { readonly message: string }

/**
 * Parses an instant independently of the machine's time zone. A date alone means midnight UTC; a time
 * of day needs a zone. Dates and times that do not exist are refused: 30 February, 24:00, second 60.
 * Fractions below a millisecond are truncated.
 */
export function parseInstant(text: string): ParsedInstant {
  const [matched, date, minutes, seconds = '00', fraction = '', zone] =
    INSTANT_PATTERN.exec(text) ?? []
  if (matched === undefined || date === undefined)
    return { message: 'is not a date or RFC 3339 timestamp, such as 2026-11-21T10:43:28Z' }
  if (minutes !== undefined && zone === undefined)
    return { message: 'has no time zone: add Z for UTC, or an offset such as +01:00' }
  const local = `${date}T${minutes ?? '00:00'}:${seconds}`
  const localMs = Date.parse(`${local}Z`)
  // `Date.parse` rolls over: 30 February becomes 2 March, and 24:00 the next day.
  if (Number.isNaN(localMs) || !new Date(localMs).toISOString().startsWith(local))
    return { message: 'is a date or time that does not exist' }
  const ms = Number(fraction.slice(0, 3).padEnd(3, '0'))
  return { atMs: localMs + ms - zoneOffsetMs(zone) }
}

/** Milliseconds that a zone is ahead of UTC. */
function zoneOffsetMs(zone = 'Z'): number {
  if (zone === 'Z') return 0
  const [hours, minutes] = zone.slice(1).split(':').map(Number) as [number, number]
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * MINUTE_MS
}
