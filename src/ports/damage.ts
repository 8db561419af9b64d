/** What may be wrong with records that were stored, and how people read it. */
export const DAMAGE = {
  /** A file of the archive is there, and is not what was written. */
  ARCHIVE_DAMAGED: 'in a file of the archive that is not as it was written',
  ARCHIVE_MISSING: 'in a file of the archive that is not there',
  /** The chain of hashes does not lead from the record before to this one. */
  CHAIN_BROKEN: 'does not follow the one before it',
  CONTENT_CHANGED: 'is not what was written',
  /** The end of a partition that was acknowledged. */
  CUT_OFF: 'was acknowledged and is missing: the log was cut off',
  LAST_CHANGED: 'is not the last one that was written',
  MISSING: 'is missing',
  /** The record is whole, but the index of ids does not lead to it. */
  NOT_INDEXED: 'is not found by its id: run throughline repair',
  TOPIC_LOST: 'a topic was lost with the end of the log',
  UNITS_LOST: 'units were lost with the end of the log',
  UNREADABLE: 'cannot be read',
} as const

export type DamageCode = keyof typeof DAMAGE

/** Offsets of a partition that are not as they were written. */
export interface DamagedRange {
  readonly code: DamageCode
  readonly from: number
  /** Up to and without. */
  readonly to: number
  /** The file of the archive that holds them. */
  readonly file?: string
  /** What is known beside the code, as text. */
  readonly detail?: string
}

/** A damaged range as people read it. */
export function damageText({ code, from, to, file, detail }: DamagedRange): string {
  const range = to - from === 1 ? `offset ${from}` : `offsets ${from} to ${to - 1}`
  const place = file === undefined ? '' : `, which ${file} holds`
  const rest = detail === undefined ? '' : `: ${detail}`
  return isOfArchive(code) ? `${range}${place}${rest}` : `${range} ${DAMAGE[code]}${rest}`
}

/** Whether it is a file of the archive that is wrong, and may be put back, rather than the log itself. */
export function isOfArchive(code: DamageCode): code is 'ARCHIVE_DAMAGED' | 'ARCHIVE_MISSING' {
  return code === 'ARCHIVE_DAMAGED' || code === 'ARCHIVE_MISSING'
}
