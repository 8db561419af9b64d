import type { FaultCode } from '../base/fault.ts'
import { FAULTS, Fault } from '../base/fault.ts'
import type { Slice } from '../ports/log.ts'

const CODES = ['ARCHIVE_DAMAGED', 'ARCHIVE_MISSING'] as const satisfies readonly FaultCode[]

/**
 * Throws the damage that a slice reports, if any.
 *
 * @throws Fault `LOG_DAMAGED`, `ARCHIVE_MISSING`, `ARCHIVE_DAMAGED`
 */
export function mustBeUndamaged({ topic, partition, next, damage }: Slice): void {
  if (damage === undefined) return
  const code = CODES.find((each) => damage.startsWith(each)) ?? 'LOG_DAMAGED'
  const { meaning } = FAULTS[code]
  const said = damage.replace(`${code}: ${meaning}: `, '')
  throw new Fault(code, { detail: `${topic}/${partition}@${next}: ${said}`, ids: { topic } })
}
