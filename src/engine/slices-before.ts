import type { LogRecord, Slice } from '../ports/log.ts'

/** Cuts slices before the first of these records, which are read again. */
export function slicesBefore(
  slices: readonly Slice[],
  records: readonly Pick<LogRecord, 'topic' | 'partition' | 'offset'>[],
): readonly Slice[] {
  const ends = new Map<string, number>()
  for (const { topic, partition, offset } of records.toReversed())
    ends.set(`${topic}\n${partition}`, offset)
  return slices.map((slice) => {
    const end = ends.get(`${slice.topic}\n${slice.partition}`)
    return end === undefined ? slice : { ...slice, next: end }
  })
}
