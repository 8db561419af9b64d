import type { DatabaseSync } from 'node:sqlite'

/** The high-water slot that belongs to a row of `head`. */
export interface HeadSlot {
  readonly slot: number
  readonly next: number
  readonly chain: number
}

/** The slot of the high-water file that counts commits; the partitions have those behind it. */
export const COMMITS_SLOT = 0

/** Reads the slots of the commit count and of all partitions from a database. */
export function readHeadSlots(db: DatabaseSync): readonly HeadSlot[] {
  const select = db.prepare('SELECT topic, part, next, chain FROM head ORDER BY topic, part')
  select.setReturnArrays(true)
  const rows = select.all() as unknown as readonly (readonly number[])[]
  const commits = rows.find(([topic]) => topic === 0)?.[2] ?? 0
  const partitions = rows.filter(([topic]) => topic !== 0)
  return [
    { slot: COMMITS_SLOT, next: commits, chain: 0 },
    ...partitions.map(([, , next = 0, chain = 0], at) => ({ slot: at + 1, next, chain })),
  ]
}
