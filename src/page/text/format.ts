// Formats numbers and times as short text.

const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const day = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' })
const graphemes = new Intl.Segmenter()
const clock = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
})

/** A count: `1,204`; from 100,000 on shortened: `128k`, `1.3M`. */
export function countText(count: number): string {
  if (count < 100_000) return grouped.format(count)
  if (count < 999_500) return `${Math.round(count / 1_000)}k`
  return `${(count / 1_000_000).toFixed(count < 9_950_000 ? 1 : 0)}M`
}

/** A rate per second: `0`, `0.4`, `12`, `1,204`. */
export function rateText(perSecond: number): string {
  if (perSecond < 0.05) return '0'
  return perSecond < 9.95 ? perSecond.toFixed(1) : countText(Math.round(perSecond))
}

/** A duration in its largest fitting unit: `0 ms`, `340 ms`, `1.2 s`, `4 min`, `3 h`. */
export function durationText(ms: number): string {
  if (ms < 999.5) return `${Math.max(0, Math.round(ms))} ms`
  if (ms < 9_950) return `${(ms / 1_000).toFixed(1)} s`
  if (ms < 99_500) return `${Math.round(ms / 1_000)} s`
  if (ms < 90 * 60_000) return `${Math.round(ms / 60_000)} min`
  if (ms < 36 * 3_600_000) return `${Math.round(ms / 3_600_000)} h`
  return `${Math.round(ms / 86_400_000)} d`
}

/** An age: `0.2 s`, `41 s`, `4 min`. */
export function ageText(ms: number): string {
  if (ms < 9_950) return `${(Math.max(0, ms) / 1_000).toFixed(1)} s`
  return ms < 60_000 ? `${Math.floor(ms / 1_000)} s` : durationText(ms)
}

/** The time of day, to the millisecond. */
export function timeText(at: number): string {
  return clock.format(at)
}

/** Date and time, to the second. */
export function dateText(at: number): string {
  return day.format(at)
}

/** A time relative to now: `in 4 min`, `12 s ago`. */
export function dueText(at: number, now: number): string {
  return at > now ? `in ${durationText(at - now)}` : `${durationText(now - at)} ago`
}

/** `1 event`, `2 events`. */
export function manyText(count: number, one: string, many = `${one}s`): string {
  return `${countText(count)} ${count === 1 ? one : many}`
}

/** The text of an error without its code, which the messages of faults begin with. */
export function withoutCode({
  code,
  message,
}: {
  code?: string | undefined
  message: string
}): string {
  if (code === undefined) return message
  const prefix = `${code}: `
  return message.startsWith(prefix) ? message.slice(prefix.length) : message
}

/** The end of an id: ids of the same moment differ there. */
export function shortId(id: string): string {
  return id.length <= 12 ? id : `…${id.slice(-8)}`
}

/** A key that fits a column: a long one keeps its start and its end. */
export function shortKey(key: string): string {
  const letters = [...graphemes.segment(key)].map(({ segment }) => segment)
  if (letters.length <= 18) return key
  return `${letters.slice(0, 8).join('')}…${letters.slice(-9).join('')}`
}

/** A topic's name in two parts: the contract or service, and the kind of messages. */
export function topicParts(name: string): readonly [string, string] {
  const dot = name.lastIndexOf('.')
  return dot < 1 ? [name, ''] : [name.slice(0, dot), name.slice(dot)]
}
