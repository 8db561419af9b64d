import type { Cancel, Clock } from '../../../base/time/clock.ts'
import type { DamageRegistry, TopicHeads } from '../log/index.ts'
import type { HighWater } from '../files/index.ts'
import { COMMITS_SLOT } from '../files/index.ts'

/** Completes each commit: heads and damage reports inside it, the high-water mark after it. */
export interface CommitSeal {
  /** Called inside the transaction, after all other writes. */
  beforeCommit(): void
  /** Called once the commit is on disk, before any caller is answered. */
  afterCommit(): void
  close(): void
}

/** The longest delay between a commit and the sync of the high-water mark. */
const SYNC_MS = 1_000

export function createCommitSeal(
  clock: Clock,
  highWater: HighWater,
  heads: TopicHeads,
  damage: DamageRegistry,
  progressRows: () => number,
): CommitSeal {
  let syncing: Cancel | undefined
  let written: ReturnType<TopicHeads['write']> = []
  return {
    beforeCommit() {
      damage.write()
      written = heads.write(progressRows())
    },
    afterCommit() {
      for (const { slot, next, chain } of written) highWater.advance(slot, next, chain)
      highWater.advance(COMMITS_SLOT, heads.commits(), 0)
      written = []
      damage.onCommitted()
      highWater.write()
      syncing ??= clock.after(SYNC_MS, () => {
        syncing = undefined
        highWater.sync()
      })
    },
    close: () => syncing?.(),
  }
}
