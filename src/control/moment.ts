import type { Complaint } from '../base/fault.ts'
import { Fault } from '../base/fault.ts'
import { instantOf } from '../base/instant.ts'
import type { EventLog, LogEnd } from '../ports/log.ts'

/** An offset or a time, which resolves to an offset in each partition of a topic. */
export type Moment =
  | { readonly is: 'offset'; readonly offset: number }
  | { readonly is: 'time'; readonly atMs: number }

const OFFSET = /^\d{1,15}$/

/**
 * Parses texts that are each an offset or an instant, as `parseInstant` reads it.
 *
 * @param words other allowed values, such as `latest`
 * @throws Fault `OPTION_INVALID`, with all issues
 */
export function momentsOf<P extends string, W extends string = never>(
  verb: string,
  places: Readonly<Record<P, string | undefined>>,
  words: readonly W[] = [],
): Readonly<Record<P, Moment | W | undefined>> {
  const complaints: Complaint[] = []
  const read = (path: string, text: string): Moment | W | undefined => {
    const word = words.find((each) => each === text)
    if (word !== undefined) return word
    if (OFFSET.test(text)) return { is: 'offset', offset: Number(text) }
    const instant = instantOf(text)
    if ('atMs' in instant) return { is: 'time', ...instant }
    const known = [...words, 'an offset', 'or a time'].join(', ')
    complaints.push({ path, message: `must be ${known}: "${text}" ${instant.message}` })
    return undefined
  }
  const entries = Object.entries<string | undefined>(places).map(([path, text]) => {
    return [path, text === undefined ? undefined : read(path, text)] as const
  })
  if (complaints.length > 0) throw new Fault('OPTION_INVALID', { detail: verb, complaints })
  return Object.fromEntries(entries) as Readonly<Record<P, Moment | W | undefined>>
}

/** The offset in a partition, limited to its range. */
export async function offsetOf(
  log: EventLog,
  { topic, partition, first, next }: LogEnd,
  moment: Moment | undefined,
  otherwise: number,
): Promise<number> {
  if (!moment) return otherwise
  const offset =
    moment.is === 'offset' ? moment.offset : await log.offsetAt(topic, partition, moment.atMs)
  return Math.min(next, Math.max(first, offset))
}
