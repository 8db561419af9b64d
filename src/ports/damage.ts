/** The kinds of damage to stored records, as text for people. */
export const DAMAGE = {
  /** An archive file exists, but is not as it was written. */
  ARCHIVE_DAMAGED: 'in an archive file that is not as it was written',
  ARCHIVE_MISSING: 'in an archive file that is missing',
  /** The hash chain does not lead from the previous record to this one. */
  CHAIN_BROKEN: 'does not follow the record before it',
  CONTENT_CHANGED: 'is not what was written',
  /** Acknowledged records at the end of a partition are missing. */
  CUT_OFF: 'was acknowledged and is missing: the log was cut off',
  LAST_CHANGED: 'is not the last record that was written',
  MISSING: 'is missing',
  /** The record is intact, but the index of ids does not lead to it. */
  NOT_INDEXED: 'is not found by its id: run throughline repair',
  TOPIC_LOST: 'a topic was lost with the end of the log',
  UNITS_LOST: 'units were lost with the end of the log',
  UNREADABLE: 'cannot be read',
} as const

export type DamageCode = keyof typeof DAMAGE

/** A range of offsets of a partition that are not as they were written. */
export interface DamagedRange {
  readonly code: DamageCode
  readonly from: number
  /** Excluded. */
  readonly to: number
  /** The archive file that holds the range. */
  readonly file?: string
  /** Further details, as text. */
  readonly detail?: string
}

/** Formats a damaged range for messages. */
export function damageText({ code, from, to, file, detail }: DamagedRange): string {
  const range = to - from === 1 ? `offset ${from}` : `offsets ${from} to ${to - 1}`
  const place = file === undefined ? '' : `, archived in ${file}`
  const rest = detail === undefined ? '' : `: ${detail}`
  return isOfArchive(code) ? `${range}${place}${rest}` : `${range} ${DAMAGE[code]}${rest}`
}

/** Whether an archive file is damaged, which may be restored, rather than the log itself. */
export function isOfArchive(code: DamageCode): code is 'ARCHIVE_DAMAGED' | 'ARCHIVE_MISSING' {
  return code === 'ARCHIVE_DAMAGED' || code === 'ARCHIVE_MISSING'
}
