// Formats counts, sizes, durations and times.

const grouped = new Intl.NumberFormat('en')

/** `1,204`. */
export function countText(count: number): string {
  return grouped.format(count)
}

/** `1 record`, `2 records`. */
export function manyText(count: number, one: string): string {
  return `${countText(count)} ${one}${count === 1 ? '' : 's'}`
}

const BYTE_UNITS = ['B', 'KB', 'MB', 'GB', 'TB'] as const

/** A size in its largest fitting unit: `0 B`, `812 B`, `8.2 KB`, `370 MB`, `1.5 GB`. */
export function bytesText(bytes: number): string {
  let value = bytes
  let unit = 0
  for (; value >= 999.5 && unit < BYTE_UNITS.length - 1; unit += 1) value /= 1_000
  const digits = unit > 0 && value < 9.95 ? 1 : 0
  return `${value.toFixed(digits)} ${BYTE_UNITS[unit]}`
}

/** A duration in its largest fitting unit: `340 ms`, `1.2 s`, `41 s`, `4 min`, `3 h`, `2 d`. */
export function durationText(ms: number): string {
  if (ms < 999.5) return `${Math.max(0, Math.round(ms))} ms`
  if (ms < 9_950) return `${(ms / 1_000).toFixed(1)} s`
  if (ms < 99_500) return `${Math.round(ms / 1_000)} s`
  if (ms < 90 * 60_000) return `${Math.round(ms / 60_000)} min`
  if (ms < 36 * 3_600_000) return `${Math.round(ms / 3_600_000)} h`
  return `${Math.round(ms / 86_400_000)} d`
}

/** A time in UTC, to the millisecond. */
export function timeText(at: number): string {
  return new Date(at).toISOString()
}

/** A path, quoted for a shell if necessary. */
export function quoted(path: string): string {
  return /^[\w@%+=:,./\\-]+$/.test(path) ? path : `"${path}"`
}

/** A progress bar of `width` characters. */
export function barText(done: number, total: number, width: number): string {
  const filled = total === 0 ? width : Math.round((Math.min(done, total) / total) * width)
  return `${'█'.repeat(filled)}${'░'.repeat(width - filled)}`
}
