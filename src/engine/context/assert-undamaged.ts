import { Fault } from '../../base/errors/fault.ts'
import type { DamagedRange } from '../../ports/damage.ts'
import { damageText, isOfArchive } from '../../ports/damage.ts'
import type { Slice } from '../../ports/event-log.ts'

/** The fault for damage, of the log or of an archive file. */
export function damageFault(topic: string, place: string, damage: DamagedRange): Fault {
  const { code, from, to } = damage
  return new Fault(isOfArchive(code) ? code : 'LOG_DAMAGED', {
    detail: `${place}: ${damageText(damage)}`,
    ids: { topic, damage: code, from: String(from), to: String(to) },
  })
}

/**
 * Throws the damage that a slice reports, if any.
 *
 * @throws Fault `LOG_DAMAGED`, `ARCHIVE_MISSING`, `ARCHIVE_DAMAGED`
 */
export function assertUndamaged({ topic, partition, next, damage }: Slice): void {
  if (damage !== undefined) throw damageFault(topic, `${topic}/${partition}@${next}`, damage)
}
