import { Fault } from '../../base/errors/fault.ts'
import { unknownNameDetail } from '../../base/options.ts'
import { EMPTY_UNIT } from '../../ports/empty-unit.ts'
import type { LogEnd } from '../../ports/event-log.ts'
import { NO_COUNTS } from '../../ports/progress.ts'
import type { Advance, Progress } from '../../ports/event-store.ts'
import type { StartFrom } from '../../rules/rule.ts'
import type { CatalogRule } from '../plan/index.ts'
import type { Pauses, EngineContext } from '../context/index.ts'
import { changeCountKey } from '../context/index.ts'
import { startFromIssue, startOffset } from '../plan/index.ts'
import { rowWrite } from '../rows/index.ts'

/**
 * Where a handler starts again. `earliest` and `latest`, as in Kafka, mean the same as `beginning`
 * and `now`.
 */
export type RewindTarget = StartFrom | 'earliest' | 'latest' | { readonly offset: number }

/** Which of its partitions to rewind. Default: all. */
export interface RewindScope {
  readonly topic?: string
  readonly partition?: number
}

export interface RewindRequest extends RewindScope {
  /** `<service>/<handler>`. */
  readonly consumer: string
  readonly to: RewindTarget
}

/** The old and the new offset of a handler in a partition. */
export interface RewoundPartition {
  readonly topic: string
  readonly partition: number
  readonly from: number
  readonly next: number
}

/** What a rewind needs of a system, running or not. */
export type RewindSystem = Pick<EngineContext, 'backend' | 'catalog'> & { readonly pauses: Pauses }

/** A busy handler may advance between the read of its progress and the commit. */
const ATTEMPTS = 50

/**
 * Moves the progress of a handler. The same unit changes a row that makes running instances load
 * their progress again; units in progress are fenced.
 *
 * @throws Fault `RULE_NOT_FOUND`, `REWIND_REFUSED`, `OPTION_INVALID`, `STORE_UNKNOWN`
 */
export async function rewind(
  system: RewindSystem,
  asked: RewindRequest,
): Promise<readonly RewoundPartition[]> {
  const rule = findHandler(system, asked.consumer)
  const targets = await findTargets(system, rule, asked)
  let cause: unknown
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const { store } = system.backend
    const progress = await store.progress([rule.id])
    const rewound = targets.map((place) => ({ ...place, from: currentOffset(progress, place) }))
    const countKey = changeCountKey(serviceId(rule.id))
    const [row] = await store.get([countKey])
    const answer = await store.commit({
      ...EMPTY_UNIT,
      progress: rewound.map((each) => createAdvance(rule.id, each)),
      rows: [rowWrite(countKey, row, '{}')],
    })
    if (answer.status === 'done') {
      await system.pauses.refresh()
      return rewound
    }
    cause = answer.status === 'unknown' ? answer.cause : answer.status
    if (answer.status === 'unknown') break
  }
  const ids = { consumer: asked.consumer }
  throw new Fault('STORE_UNKNOWN', { detail: `a rewind of ${asked.consumer}`, ids, cause })
}

const serviceId = (consumer: string): string => consumer.split('/', 1)[0] ?? ''

function findHandler({ catalog }: RewindSystem, consumer: string): CatalogRule {
  const rules = catalog.services.flatMap(({ name, rules: all }) =>
    all.map((rule) => ({ named: `${name}/${rule.name}`, rule })),
  )
  const found = rules.find(({ named }) => named === consumer)?.rule
  const ids = { consumer }
  if (!found) {
    const known = rules.map(({ named }) => named)
    throw new Fault('RULE_NOT_FOUND', { detail: unknownNameDetail(consumer, known), ids })
  }
  if (found.is === 'handler') return found
  throw new Fault('REWIND_REFUSED', { detail: `${consumer} is of kind ${found.is}`, ids })
}

type PartitionTarget = Omit<RewoundPartition, 'from'>

async function findTargets(
  { backend: { log } }: RewindSystem,
  { reads }: CatalogRule,
  { consumer, to, topic, partition }: RewindRequest,
): Promise<readonly PartitionTarget[]> {
  const optionFault = (path: string, message: string): Fault =>
    new Fault('OPTION_INVALID', { detail: 'rewind', issues: [{ path, message }] })
  if (topic !== undefined && !reads.includes(topic))
    throw optionFault('topic', `is not read by ${consumer}, which reads ${reads.join(', ')}`)
  const ends = (await log.ends(topic === undefined ? reads : [topic])).filter(
    (end) => partition === undefined || end.partition === partition,
  )
  if (ends.length === 0) throw optionFault('partition', `does not exist: ${partition}`)
  if (typeof to === 'object' && 'offset' in to) {
    if (topic === undefined || partition === undefined)
      throw optionFault('to', 'is an offset, which needs a topic and a partition')
    const [{ first, next }] = ends as [LogEnd]
    if (!Number.isSafeInteger(to.offset) || to.offset < first || to.offset > next)
      throw optionFault('to', `must be an offset from ${first} to ${next}`)
  }
  const nextIn = async (end: LogEnd): Promise<number> => {
    if (typeof to === 'object' && 'offset' in to) return to.offset
    const from = to === 'earliest' ? 'beginning' : to === 'latest' ? 'now' : to
    const issue = startFromIssue(from)
    if (issue) throw optionFault('to', issue)
    return startOffset(log, end, from)
  }
  return Promise.all(
    ends.map(async (end) => {
      return { topic: end.topic, partition: end.partition, next: await nextIn(end) }
    }),
  )
}

function currentOffset(
  progress: readonly Progress[],
  { topic, partition }: PartitionTarget,
): number {
  return progress.find((each) => each.topic === topic && each.partition === partition)?.next ?? 0
}

function createAdvance(
  consumer: string,
  { topic, partition, from, next }: RewoundPartition,
): Advance {
  return { consumer, topic, partition, from, next, ...NO_COUNTS }
}
