import type { Cancel, Clock } from '../../base/clock.ts'
import type { DamageBook } from './damage.ts'
import type { Heads } from './heads.ts'
import type { HighWater } from './high-water.ts'
import { COMMITS_SLOT } from './marks.ts'

/** What belongs to each commit as a whole: heads and findings in it, the mark after it. */
export interface Seal {
  /** Inside the transaction, behind everything else. */
  before(): void
  /** Once it is on the disk, and before anybody is told. */
  after(): void
  close(): void
}

/** How long the high-water mark may wait for a sync. */
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
