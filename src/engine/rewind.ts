import { Fault } from '../base/fault.ts'
import { unknownOf } from '../base/options.ts'
import { EMPTY_UNIT } from '../ports/empty-unit.ts'
import type { LogEnd } from '../ports/log.ts'
import type { Advance, Progress } from '../ports/store.ts'
import type { StartFrom } from '../rules/rule.ts'
import type { CatalogRule } from './catalog.ts'
import type { Pauses } from './pauses.ts'
import { rewindsRow } from './pauses.ts'
import { flawOfStart, offsetOf } from './start-from.ts'
import type { EngineTools } from './tools.ts'
import { rowWrite } from './write-rows.ts'

/**
 * Where a handler starts again. `earliest` and `latest`, as in Kafka, mean the same as `beginning`
 * and `now`.
 */
export type RewindTo = StartFrom | 'earliest' | 'latest' | { readonly offset: number }

/** Which of its partitions to rewind. Default: all. */
export interface RewindAt {
  readonly topic?: string
  readonly partition?: number
}

export interface RewindRequest extends RewindAt {
  /** `<service>/<handler>`. */
  readonly consumer: string
  readonly to: RewindTo
}

/** The old and the new offset of a handler in a partition. */
export interface Rewound {
  readonly topic: string
  readonly partition: number
  readonly from: number
  readonly next: number
}

/** What a rewind needs of a system, running or not. */
export type Rewinding = Pick<EngineTools, 'backend' | 'catalog'> & { readonly pauses: Pauses }

/** A busy handler may advance between the read of its progress and the commit. */
const ATTEMPTS = 50

/**
 * Moves the progress of a handler. The same unit changes a row that makes running instances load
 * their progress again; units in progress are fenced.
 *
 * @throws Fault `RULE_NOT_FOUND`, `REWIND_REFUSED`, `OPTION_INVALID`, `STORE_UNKNOWN`
 */
export async function rewind(system: Rewinding, asked: RewindRequest): Promise<readonly Rewound[]> {
  const rule = handlerOf(system, asked.consumer)
  const places = await placesOf(system, rule, asked)
  let cause: unknown
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const { store } = system.backend
    const progress = await store.progress([rule.id])
    const rewound = places.map((place) => ({ ...place, from: standing(progress, place) }))
    const mark = rewindsRow(serviceOf(rule.id))
    const [row] = await store.get([mark])
    const answer = await store.commit({
      ...EMPTY_UNIT,
      progress: rewound.map((each) => moveOf(rule.id, each)),
      rows: [rowWrite(mark, row, '{}')],
    })
    if (answer.is === 'done') {
      await system.pauses.refresh()
      return rewound
    }
    cause = answer.is === 'unknown' ? answer.cause : answer.is
    if (answer.is === 'unknown') break
  }
  const ids = { consumer: asked.consumer }
  throw new Fault('STORE_UNKNOWN', { detail: `a rewind of ${asked.consumer}`, ids, cause })
}

const serviceOf = (consumer: string): string => consumer.split('/', 1)[0] ?? ''

function handlerOf({ catalog }: Rewinding, consumer: string): CatalogRule {
  const rules = catalog.services.flatMap(({ name, rules: all }) =>
    all.map((rule) => ({ named: `${name}/${rule.name}`, rule })),
  )
  const found = rules.find(({ named }) => named === consumer)?.rule
  const ids = { consumer }
  if (!found) {
    const known = rules.map(({ named }) => named)
    throw new Fault('RULE_NOT_FOUND', { detail: unknownOf(consumer, known), ids })
  }
  if (found.is === 'handler') return found
  throw new Fault('REWIND_REFUSED', { detail: `${consumer} is of kind ${found.is}`, ids })
}

type Target = Omit<Rewound, 'from'>

async function placesOf(
  { backend: { log } }: Rewinding,
  { reads }: CatalogRule,
  { consumer, to, topic, partition }: RewindRequest,
): Promise<readonly Target[]> {
  const complain = (path: string, message: string): Fault =>
    new Fault('OPTION_INVALID', { detail: 'rewind', complaints: [{ path, message }] })
  if (topic !== undefined && !reads.includes(topic))
    throw complain('topic', `is not read by ${consumer}, which reads ${reads.join(', ')}`)
  const ends = (await log.ends(topic === undefined ? reads : [topic])).filter(
    (end) => partition === undefined || end.partition === partition,
  )
  if (ends.length === 0) throw complain('partition', `does not exist: ${partition}`)
  if (typeof to === 'object' && 'offset' in to) {
    if (topic === undefined || partition === undefined)
      throw complain('to', 'is an offset, which needs a topic and a partition')
    const [{ first, next }] = ends as [LogEnd]
    if (!Number.isSafeInteger(to.offset) || to.offset < first || to.offset > next)
      throw complain('to', `must be an offset from ${first} to ${next}`)
  }
  const nextIn = async (end: LogEnd): Promise<number> => {
    if (typeof to === 'object' && 'offset' in to) return to.offset
    const from = to === 'earliest' ? 'beginning' : to === 'latest' ? 'now' : to
    const flaw = flawOfStart(from)
    if (flaw) throw complain('to', flaw)
    return offsetOf(log, end, from)
  }
  return Promise.all(
    ends.map(async (end) => {
      return { topic: end.topic, partition: end.partition, next: await nextIn(end) }
    }),
  )
}

function standing(progress: readonly Progress[], { topic, partition }: Target): number {
  return progress.find((each) => each.topic === topic && each.partition === partition)?.next ?? 0
}

function moveOf(consumer: string, { topic, partition, from, next }: Rewound): Advance {
  const counts = { accepted: 0, completed: 0, pending: 0, expired: 0 }
  return { consumer, topic, partition, from, next, ...counts }
}
