/** A date, and maybe a time of day with its zone: the parts of ISO 8601 that RFC 3339 has, too. */
const FORM =
  /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)?)?$/

const MINUTE_MS = 60_000

/** Milliseconds since 1970, or why a text is no instant. */
export type Instant = { readonly atMs: number } | { readonly message: string }

/**
 * Reads an instant, the same on every machine. A date alone begins at midnight, UTC; a time of day
 * needs its zone. What no calendar or clock shows is refused: 30 February, 24:00 and the 61st second
 * of a minute. What is finer than a millisecond is cut off.
 */
export function instantOf(text: string): Instant {
  const [matched, date, minutes, seconds = '00', fraction = '', zone] = FORM.exec(text) ?? []
  if (matched === undefined || date === undefined)
    return { message: 'is not a date or RFC 3339 timestamp, such as 2026-11-21T10:43:28Z' }
  if (minutes !== undefined && zone === undefined)
    return { message: 'has no zone: add Z for UTC, or one such as +01:00' }
  const local = `${date}T${minutes ?? '00:00'}:${seconds}`
  const localMs = Date.parse(`${local}Z`)
  // The parts must come back: 30 February would be 2 March, and 24:00 the next day.
  if (Number.isNaN(localMs) || !new Date(localMs).toISOString().startsWith(local))
    return { message: 'does not exist: no calendar or clock shows it' }
  const ms = Number(fraction.slice(0, 3).padEnd(3, '0'))
  return { atMs: localMs + ms - offsetMsOf(zone) }
}

/** How far a zone is ahead of UTC. */
function offsetMsOf(zone = 'Z'): number {
  if (zone === 'Z') return 0
  const [hours, minutes] = zone.slice(1).split(':').map(Number) as [number, number]
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * MINUTE_MS
}
