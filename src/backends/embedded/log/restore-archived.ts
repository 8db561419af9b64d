import type { LogRecord } from '../../../ports/event-log.ts'
import type { DamagedRange } from '../../../ports/damage.ts'
import type { StoredRecord } from '../sql/index.ts'
import { Fault } from '../../../base/errors/fault.ts'
import { damageText } from '../../../ports/damage.ts'

/** An archived record, or the range that cannot be read from its file. */
export interface RestoredRecord {
  readonly record?: LogRecord
  readonly damage?: DamagedRange
}

/** Restores an archived record; returns neither where no file has it, since it was compacted. */
export type RestoreArchived = (stub: StoredRecord) => RestoredRecord

/**
 * Restores an archived record; returns nothing where no file has it, since it was compacted.
 *
 * @throws Fault `ARCHIVE_MISSING`, `ARCHIVE_DAMAGED`, with the range that cannot be read
 */
export function restoreOrThrow(
  restore: RestoreArchived,
  stub: StoredRecord,
): LogRecord | undefined {
  const { record, damage } = restore(stub)
  if (damage === undefined) return record
  const { topic, partition } = stub.record
  const { code, from, to } = damage
  throw new Fault(code === 'ARCHIVE_MISSING' ? code : 'ARCHIVE_DAMAGED', {
    detail: `${topic}/${partition} ${damageText(damage)}`,
    ids: { topic, partition: String(partition), from: String(from), to: String(to) },
  })
}
