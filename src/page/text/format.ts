// Figures as words: short, of a steady width, and never more exact than they are.

const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const day = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' })
const graphemes = new Intl.Segmenter()
const clock = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
})

/** `1,204`; from 100,000 on shortened, as `128k` or `1.3M`. */
export function countText(count: number): string {
  if (count < 100_000) return grouped.format(count)
  if (count < 999_500) return `${Math.round(count / 1_000)}k`
  return `${(count / 1_000_000).toFixed(count < 9_950_000 ? 1 : 0)}M`
}

/** Events in one second: `0`, `0.4`, `12`, `1,204`. */
export function rateText(perSecond: number): string {
  if (perSecond < 0.05) return '0'
  return perSecond < 9.95 ? perSecond.toFixed(1) : countText(Math.round(perSecond))
}

/** A stretch of time in its largest fitting unit: `0 ms`, `340 ms`, `1.2 s`, `4 min`, `3 h`. */
export function durationText(ms: number): string {
  if (ms < 999.5) return `${Math.max(0, Math.round(ms))} ms`
  if (ms < 9_950) return `${(ms / 1_000).toFixed(1)} s`
  if (ms < 99_500) return `${Math.round(ms / 1_000)} s`
  if (ms < 90 * 60_000) return `${Math.round(ms / 60_000)} min`
  if (ms < 36 * 3_600_000) return `${Math.round(ms / 3_600_000)} h`
  return `${Math.round(ms / 86_400_000)} d`
}

/** How long ago: `0.2 s`, `41 s`, `4 min`. */
export function ageText(ms: number): string {
  if (ms < 9_950) return `${(Math.max(0, ms) / 1_000).toFixed(1)} s`
  return ms < 60_000 ? `${Math.floor(ms / 1_000)} s` : durationText(ms)
}

/** The time of day, to the millisecond. */
export function timeText(at: number): string {
  return clock.format(at)
}

/** A day and a time of it, to the second. */
export function dateText(at: number): string {
  return day.format(at)
}

/** When something is due, seen from now: `in 4 min`, `12 s ago`. */
export function dueText(at: number, now: number): string {
  return at > now ? `in ${durationText(at - now)}` : `${durationText(now - at)} ago`
}

/** `1 event`, `2 events`. */
export function manyText(count: number, one: string, many = `${one}s`): string {
  return `${countText(count)} ${count === 1 ? one : many}`
}

/** The last part of an id, which is what tells ids of one moment apart. */
export function shortId(id: string): string {
  return id.length <= 12 ? id : `…${id.slice(-8)}`
}

/** A key that fits a column: a long one keeps both of its ends, which tell keys apart. */
export function shortKey(key: string): string {
  const letters = [...graphemes.segment(key)].map(({ segment }) => segment)
  if (letters.length <= 18) return key
  return `${letters.slice(0, 8).join('')}…${letters.slice(-9).join('')}`
}

/** A topic's name in two: whose it is, and what it carries. */
export function topicParts(name: string): readonly [string, string] {
  const dot = name.lastIndexOf('.')
  return dot < 1 ? [name, ''] : [name.slice(0, dot), name.slice(dot)]
}
