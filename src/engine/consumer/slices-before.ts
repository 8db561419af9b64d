import { partitionId } from '../../ports/composite-keys.ts'
import type { LogRecord, Slice } from '../../ports/event-log.ts'

/** Cuts slices before the first of these records, which are read again. */
export function slicesBefore(
  slices: readonly Slice[],
  records: readonly Pick<LogRecord, 'topic' | 'partition' | 'offset'>[],
): readonly Slice[] {
  const ends = new Map<string, number>()
  for (const record of records.toReversed()) ends.set(partitionId(record), record.offset)
  return slices.map((slice) => {
    const end = ends.get(partitionId(slice))
    return end === undefined ? slice : { ...slice, next: end }
  })
}
