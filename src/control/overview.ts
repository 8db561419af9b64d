import { compositeKey } from '../base/composite-key.ts'
import { repliesTopic } from '../contract/contract.ts'
import type { Catalog } from '../engine/plan/index.ts'
import type { ConsumerPosition } from '../engine/operations/index.ts'
import { readPositions, readWaitedMs } from '../engine/operations/index.ts'
import type { LogEnd } from '../ports/event-log.ts'
import { carriesCommands } from './message-kind.ts'
import type { System } from './system.ts'
import type { LinkView, Overview, RuleView, ServiceView, TopicView } from './views.ts'

type Reading = Extract<LinkView, { kind: 'reads' }>

/** All services, topics and their links at one moment. */
export async function overviewOf(system: System): Promise<Overview> {
  const { backend, catalog, clock } = system
  const health = await system.health()
  const positions = await readPositions(system)
  const ends = await backend.log.ends(catalog.topics.map(({ name }) => name))
  const readings = await withAges(system, topicReaders(positions))
  const { status, ack, detail, paused, alarms } = health
  return {
    at: clock.now(),
    ack,
    health: { status, detail, alarms },
    services: catalog.services.map((service) =>
      serviceView(
        service,
        positions.filter((each) => each.service === service.name),
        readings.filter((each) => each.service === service.name),
        paused.includes(service.name),
      ),
    ),
    topics: catalog.topics.map((topic) => topicView(topic, catalog, ends)),
    links: [...writesOf(catalog), ...readings],
  }
}

function serviceView(
  { name, rules }: Catalog['services'][0],
  positions: readonly ConsumerPosition[],
  readings: readonly Reading[],
  isPaused: boolean,
): ServiceView {
  const ruleViews = rules.map(({ name: rule, is }): RuleView => {
    const ofRule = positions.filter((each) => each.rule === rule)
    return {
      name: rule,
      kind: is,
      accepted: sum(ofRule, ({ accepted }) => accepted),
      completed: sum(ofRule, ({ completed }) => completed),
      pending: sum(ofRule, ({ pending }) => pending),
      dead: sum(ofRule, ({ dead }) => dead),
      discarded: sum(ofRule, ({ discarded }) => discarded),
      expired: sum(ofRule, ({ expired }) => expired),
      lag: sum(ofRule, ({ lag }) => lag),
    }
  })
  return {
    name,
    isPaused,
    lag: sum(readings, ({ lag }) => lag),
    ageMs: Math.max(0, ...readings.map(({ ageMs }) => ageMs)),
    pending: sum(ruleViews, ({ pending }) => pending),
    dead: sum(ruleViews, ({ dead }) => dead),
    discarded: sum(ruleViews, ({ discarded }) => discarded),
    completed: sum(ruleViews, ({ completed }) => completed),
    rules: ruleViews,
  }
}

/** A service that reads a topic, with the position of its slowest rule in each partition. */
interface TopicReader {
  readonly service: string
  readonly topic: string
  readonly slowest: readonly ConsumerPosition[]
}

/** Each service with each topic that it reads; the slowest rule counts. */
function topicReaders(positions: readonly ConsumerPosition[]): readonly TopicReader[] {
  const slowest = new Map<string, ConsumerPosition>()
  for (const each of positions) {
    const place = compositeKey(each.service, each.topic, each.partition)
    const known = slowest.get(place)
    if (!known || each.lag > known.lag) slowest.set(place, each)
  }
  const readers = Map.groupBy(slowest.values(), ({ service, topic }) =>
    compositeKey(service, topic),
  )
  return [...readers.values()].map((group) => {
    const [{ service, topic }] = group as [ConsumerPosition]
    return { service, topic, slowest: group }
  })
}

async function withAges(
  { backend, clock }: System,
  readers: readonly TopicReader[],
): Promise<readonly Reading[]> {
  const readings: Reading[] = []
  for (const { service, topic, slowest } of readers) {
    let ageMs = 0
    for (const each of slowest)
      if (each.lag > 0) ageMs = Math.max(ageMs, await readWaitedMs(backend.log, each, clock.now()))
    const passed = sum(slowest, ({ end, lag }) => end - lag)
    readings.push({ kind: 'reads', service, topic, lag: lagOf(slowest), ageMs, consumed: passed })
  }
  return readings
}

const lagOf = (positions: readonly ConsumerPosition[]): number => sum(positions, ({ lag }) => lag)

/** The counters that the charts of the page show. */
export interface Counters {
  /** Records ever appended to all topics; never decreases. */
  readonly appended: number
  readonly services: readonly {
    readonly name: string
    /** See `ServiceView`. */
    readonly completed: number
    readonly lag: number
  }[]
}

/** The counters of the overview that charts need, without reading records. */
export async function countersOf(system: System): Promise<Counters> {
  const { backend, catalog } = system
  const positions = await readPositions(system)
  const ends = await backend.log.ends(catalog.topics.map(({ name }) => name))
  const readers = topicReaders(positions)
  return {
    appended: sum(ends, ({ next }) => next),
    services: catalog.services.map(({ name }) => ({
      name,
      completed: sum(
        positions.filter(({ service }) => service === name),
        ({ completed }) => completed,
      ),
      lag: sum(
        readers.filter(({ service }) => service === name),
        ({ slowest }) => lagOf(slowest),
      ),
    })),
  }
}

function topicView(
  { name, partitions }: Catalog['topics'][0],
  { services }: Catalog,
  ends: readonly LogEnd[],
): TopicView {
  const ofTopic = ends.filter(({ topic }) => topic === name)
  const isReplies = services.some(({ id }) => repliesTopic(id) === name)
  const isCommands = carriesCommands(name)
  return {
    name,
    carries: isReplies ? 'replies' : isCommands ? 'commands' : 'events',
    partitions,
    appended: sum(ofTopic, ({ next }) => next),
    retained: sum(ofTopic, ({ first, next }) => next - first),
  }
}

function writesOf({ services }: Catalog): readonly LinkView[] {
  return services.flatMap(({ name, writes }) =>
    writes.map((topic): LinkView => ({ kind: 'writes', service: name, topic })),
  )
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0)
}
