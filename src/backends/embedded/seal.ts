import type { Cancel, Clock } from '../../base/clock.ts'
import { Fault } from '../../base/fault.ts'
import type { DamageBook } from './damage.ts'
import { NO_TOPIC } from './damage.ts'
import type { Heads } from './heads.ts'
import type { HighWater, Mark } from './high-water.ts'
import { damagedTable } from './results.ts'
import type { Topics } from './topics.ts'

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
const COMMITS_SLOT = 0

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

/**
 * Whether everything is there that was ever acknowledged. A partition that ends before its mark was
 * cut off: it stands, and its lost offsets are never given again.
 *
 * @throws Fault `DATA_DAMAGED` where it goes on otherwise than it was acknowledged
 */
export function mustReachMarks(
  topics: Topics,
  damage: DamageBook,
  highWater: HighWater,
  clock: Clock,
): void {
  const { heads } = topics
  const foundMs = clock.now()
  const code = 'CUT_OFF'
  for (const { spec, id, heads: partitions } of heads.all())
    for (const { partition, slot, first, next, chain } of partitions) {
      const mark = highWater.mark(slot)
      if (mark && mark.next === next && mark.chain !== chain)
        throw new Fault('DATA_DAMAGED', {
          detail: `${spec.name}/${partition} is not the one that was written last`,
        })
      if (mark && mark.next < next && mark.next > first)
        mustFollow(topics, spec.name, partition, mark)
      if (mark && mark.next > next && !damage.accepted(id, partition, next))
        damage.found({ topic: id, partition, from: next, to: mark.next, code, foundMs })
    }
  const commits = highWater.mark(COMMITS_SLOT)?.next ?? 0
  const place = { topic: NO_TOPIC, partition: 0, from: heads.commits(), to: commits }
  if (commits > heads.commits()) damage.found({ ...place, code: 'UNITS_LOST', foundMs })
  const known = heads.slots()
  for (let slot = known; slot < highWater.slots(); slot += 1)
    if ((highWater.mark(slot)?.next ?? 0) > 0) {
      const to = Math.max(heads.commits() + 1, commits)
      damage.found({ ...place, to, code: 'TOPIC_LOST', foundMs })
      return
    }
}

/**
 * The log has gone on since its mark was written: it has to be the same log.
 *
 * @throws Fault `DATA_DAMAGED`
 */
function mustFollow(topics: Topics, topic: string, partition: number, mark: Mark): void {
  const chain = topics.chainAt(topic, partition, mark.next - 1)
  if (chain === undefined || chain === mark.chain) return
  const detail = `${topic}/${partition} is not the one that was written last`
  throw new Fault('DATA_DAMAGED', { detail })
}

/**
 * The newest record of each topic is found by its id: where the index of ids is not the one that it
 * was, repeats would be stored again.
 *
 * @throws Fault `DATA_DAMAGED`
 */
export function mustBeFound(topics: Topics): void {
  for (const { spec, heads } of topics.heads.all())
    for (const { partition, first, next } of heads) {
      if (next === first) continue
      const { flaws } = topics.inspect(spec.name, partition, next - 1, 1)
      const lost = flaws.find(({ code }) => code === 'NOT_INDEXED')
      if (lost) throw damagedTable(spec.name, `the index of ids (offset ${lost.from})`)
    }
}
