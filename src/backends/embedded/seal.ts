import type { Cancel, Clock } from '../../base/clock.ts'
import type { DamageBook } from './damage.ts'
import type { Heads } from './heads.ts'
import type { HighWater } from './high-water.ts'
import { COMMITS_SLOT } from './marks.ts'

/** Completes each commit: heads and damage reports inside it, the high-water mark after it. */
export interface Seal {
  /** Called inside the transaction, after all other writes. */
  before(): void
  /** Called once the commit is on disk, before any caller is answered. */
  after(): void
  close(): void
}

/** The longest delay between a commit and the sync of the high-water mark. */
const SYNC_MS = 1_000

export function sealing(
  clock: Clock,
  highWater: HighWater,
  heads: Heads,
  damage: DamageBook,
  progressRows: () => number,
): Seal {
  let syncing: Cancel | undefined
  let written: ReturnType<Heads['write']> = []
  return {
    before() {
      damage.write()
      written = heads.write(progressRows())
    },
    after() {
      for (const { slot, next, chain } of written) highWater.note(slot, next, chain)
      highWater.note(COMMITS_SLOT, heads.commits(), 0)
      written = []
      damage.written()
      highWater.write()
      syncing ??= clock.after(SYNC_MS, () => {
        syncing = undefined
        highWater.sync()
      })
    },
    close: () => syncing?.(),
  }
}
