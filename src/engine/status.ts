import type { InstanceRow } from './advance.ts'
import type { Consumer } from './plan.ts'
import type { EngineTools } from './tools.ts'

/** What runs, and on what. */
type Running = Pick<EngineTools, 'plan' | 'backend'>

/** Counters of one consumer; `accepted = completed + pending` in every consistent read. */
export interface ConsumerStatus {
  readonly consumer: string
  /** Events that reached it. */
  readonly accepted: number
  /** Events whose effects are committed. */
  readonly completed: number
  /** Events that wait behind a fault of their key. */
  readonly pending: number
  /** Records between its progress and the ends of its topics: an upper bound of what is unread. */
  readonly lag: number
}

/** The consumers of every service that runs here. */
export function consumersOf({ plan }: Pick<Running, 'plan'>): readonly Consumer[] {
  return plan.services.flatMap(({ groups }) => groups.flatMap(({ consumers }) => consumers))
}

/** Counters and lag of every consumer. The counters come from one consistent read. */
export async function statusOf(engine: Running): Promise<readonly ConsumerStatus[]> {
  const { log, store } = engine.backend
  const consumers = consumersOf(engine)
  const topics = topicsOf(engine)
  const progress = await store.progress(consumers.map(({ id }) => id))
  const ends = await log.ends([...new Set([...topics.values()].flatMap((each) => [...each]))])
  const passed = new Map<string, number>()
  const totals = new Map<string, { accepted: number; completed: number; pending: number }>()
  for (const { consumer, topic, partition, next, ...counts } of progress) {
    passed.set(`${consumer}\n${topic}\n${partition}`, next)
    const total = totals.get(consumer) ?? { accepted: 0, completed: 0, pending: 0 }
    total.accepted += counts.accepted
    total.completed += counts.completed
    total.pending += counts.pending
    totals.set(consumer, total)
  }
  return consumers.map(({ id }) => {
    let lag = 0
    for (const { topic, partition, first, next } of ends)
      if (topics.get(id)?.has(topic))
        lag += Math.max(0, next - Math.max(first, passed.get(`${id}\n${topic}\n${partition}`) ?? 0))
    return { consumer: id, ...(totals.get(id) ?? NOTHING), lag }
  })
}

const NOTHING = { accepted: 0, completed: 0, pending: 0 }

/** The topics that each consumer reads. */
function topicsOf({ plan }: Running): ReadonlyMap<string, ReadonlySet<string>> {
  const topics = new Map<string, Set<string>>()
  for (const { groups } of plan.services)
    for (const { reactions } of groups)
      for (const [topic, wires] of reactions)
        for (const each of wires.values())
          for (const { consumer } of each) {
            const read = topics.get(consumer.id) ?? new Set()
            topics.set(consumer.id, read.add(topic))
          }
  return topics
}

/** Some of the instances of the sagas here that have not finished. */
export async function openSagas(engine: Running, limit = 10): Promise<readonly string[]> {
  const where = { index: 'open', equals: 1 }
  const open: string[] = []
  for (const { id, rule, table } of consumersOf(engine)) {
    if (rule.is !== 'saga' || open.length >= limit) continue
    const rows = await engine.backend.store.scan({ table, where, limit: limit - open.length })
    open.push(...rows.map(({ key }) => `${id} ${key}`))
  }
  return open
}

/**
 * Everything that was accepted is done: nothing unread, nothing held, no saga under way. Progress
 * is read before the ends, so what is appended in between counts as unread.
 */
export async function isSettled(engine: Running): Promise<boolean> {
  const status = await statusOf(engine)
  if (status.some(({ lag, pending }) => lag > 0 || pending > 0)) return false
  return (await openSagas(engine, 1)).length === 0
}

/** The instances of all sagas here that belong to one conversation. */
export async function instancesOf(
  engine: Running,
  operation: string,
): Promise<readonly InstanceRow[]> {
  const instances: InstanceRow[] = []
  for (const { rule, table } of consumersOf(engine)) {
    if (rule.is !== 'saga') continue
    const where = { index: 'operation', equals: operation }
    const rows = await engine.backend.store.scan({ table, where, limit: 1_000 })
    for (const { body } of rows) instances.push(JSON.parse(body) as InstanceRow)
  }
  return instances
}
