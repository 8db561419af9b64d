import type { Clock } from '../../../base/time/clock.ts'
import { Fault } from '../../../base/errors/fault.ts'
import type { DamageRegistry, Topics } from '../log/index.ts'
import { NO_TOPIC } from '../log/index.ts'
import type { HighWater, Mark } from '../files/index.ts'
import { COMMITS_SLOT } from '../files/index.ts'
import { damagedTableFault } from '../sql/index.ts'

/**
 * Checks that all acknowledged records are there. A partition that ends before its mark was cut off:
 * the loss is reported as damage, which stops the partition, and its offsets are never reused.
 *
 * @throws Fault `DATA_DAMAGED` where a partition has other records than the acknowledged ones
 */
export function assertHighWater(
  topics: Topics,
  damage: DamageRegistry,
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
          detail: `${spec.name}/${partition} is not the log that was written last`,
        })
      if (mark && mark.next < next && mark.next > first)
        assertSameLog(topics, spec.name, partition, mark)
      if (mark && mark.next > next && !damage.acceptedAt(id, partition, next))
        damage.report({ topic: id, partition, from: next, to: mark.next, code, foundMs })
    }
  const commits = highWater.mark(COMMITS_SLOT)?.next ?? 0
  const place = { topic: NO_TOPIC, partition: 0, from: heads.commits(), to: commits }
  if (commits > heads.commits()) damage.report({ ...place, code: 'UNITS_LOST', foundMs })
  const known = heads.slots()
  for (let slot = known; slot < highWater.slots(); slot += 1)
    if ((highWater.mark(slot)?.next ?? 0) > 0) {
      const to = Math.max(heads.commits() + 1, commits)
      damage.report({ ...place, to, code: 'TOPIC_LOST', foundMs })
      return
    }
}

/**
 * The log is longer than its mark: checks that it contains the marked record.
 *
 * @throws Fault `DATA_DAMAGED`
 */
function assertSameLog(topics: Topics, topic: string, partition: number, mark: Mark): void {
  const chain = topics.chainAt(topic, partition, mark.next - 1)
  if (chain === undefined || chain === mark.chain) return
  const detail = `${topic}/${partition} is not the log that was written last`
  throw new Fault('DATA_DAMAGED', { detail })
}

/**
 * Checks that the newest record of each partition is found by its id: with a wrong index of ids,
 * duplicates would be stored again.
 *
 * @throws Fault `DATA_DAMAGED`
 */
export function assertIdIndex(topics: Topics): void {
  for (const { spec, heads } of topics.heads.all())
    for (const { partition, first, next } of heads) {
      if (next === first) continue
      const { damaged } = topics.inspect(spec.name, partition, next - 1, 1)
      const lost = damaged.find(({ code }) => code === 'NOT_INDEXED')
      if (lost) throw damagedTableFault(spec.name, `the index of ids (offset ${lost.from})`)
    }
}
