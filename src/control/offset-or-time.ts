import type { Issue } from '../base/errors/fault.ts'
import { Fault } from '../base/errors/fault.ts'
import { parseInstant } from '../base/time/instant.ts'
import type { EventLog, LogEnd } from '../ports/event-log.ts'

/** An offset or a time, which resolves to an offset in each partition of a topic. */
export type OffsetOrTime =
  | { readonly kind: 'offset'; readonly offset: number }
  | { readonly kind: 'time'; readonly atMs: number }

const OFFSET = /^\d{1,15}$/

/**
 * Parses texts that are each an offset or an instant, as `parseInstant` reads it.
 *
 * @param words other allowed values, such as `latest`
 * @throws Fault `OPTION_INVALID`, with all issues
 */
export function parseOffsetsOrTimes<P extends string, W extends string = never>(
  verb: string,
  places: Readonly<Record<P, string | undefined>>,
  words: readonly W[] = [],
): Readonly<Record<P, OffsetOrTime | W | undefined>> {
  const issues: Issue[] = []
  const read = (path: string, text: string): OffsetOrTime | W | undefined => {
    const word = words.find((each) => each === text)
    if (word !== undefined) return word
    if (OFFSET.test(text)) return { kind: 'offset', offset: Number(text) }
    const instant = parseInstant(text)
    if ('atMs' in instant) return { kind: 'time', ...instant }
    const known = [...words, 'an offset', 'or a time'].join(', ')
    issues.push({ path, message: `must be ${known}: "${text}" ${instant.message}` })
    return undefined
  }
  const entries = Object.entries<string | undefined>(places).map(([path, text]) => {
    return [path, text === undefined ? undefined : read(path, text)] as const
  })
  if (issues.length > 0) throw new Fault('OPTION_INVALID', { detail: verb, issues })
  return Object.fromEntries(entries) as Readonly<Record<P, OffsetOrTime | W | undefined>>
}

/** The offset in a partition, limited to its range. */
export async function resolveOffset(
  log: EventLog,
  { topic, partition, first, next }: LogEnd,
  target: OffsetOrTime | undefined,
  otherwise: number,
): Promise<number> {
  if (!target) return otherwise
  const offset =
    target.kind === 'offset' ? target.offset : await log.offsetAt(topic, partition, target.atMs)
  return Math.min(next, Math.max(first, offset))
}
