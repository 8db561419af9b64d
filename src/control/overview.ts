import { repliesTopic } from '../contract/contract.ts'
import type { Catalog } from '../engine/catalog.ts'
import type { Standing } from '../engine/status.ts'
import { standingsOf, waitedMs } from '../engine/status.ts'
import type { LogEnd } from '../ports/log.ts'
import { carriesCommands } from './message-kind.ts'
import type { System } from './system.ts'
import type { LinkView, Overview, RuleView, ServiceView, TopicView } from './views.ts'

type Reading = Extract<LinkView, { is: 'reads' }>

/** Everything that runs, at one moment. */
export async function overviewOf(system: System): Promise<Overview> {
  const { backend, catalog, clock } = system
  const health = await system.health()
  const standings = await standingsOf(system)
  const ends = await backend.log.ends(catalog.topics.map(({ name }) => name))
  const readings = await readingsOf(system, standings)
  const { is, ack, detail, paused, alarms } = health
  return {
    at: clock.now(),
    ack,
    health: { is, detail, alarms },
    services: catalog.services.map((service) =>
      serviceView(
        service,
        standings.filter((each) => each.service === service.name),
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
  standings: readonly Standing[],
  readings: readonly Reading[],
  isPaused: boolean,
): ServiceView {
  const ruleViews = rules.map(({ name: rule, is }): RuleView => {
    const ofRule = standings.filter((each) => each.rule === rule)
    return {
      name: rule,
      is,
      accepted: sum(ofRule, ({ accepted }) => accepted),
      completed: sum(ofRule, ({ completed }) => completed),
      pending: sum(ofRule, ({ pending }) => pending),
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
    completed: sum(ruleViews, ({ completed }) => completed),
    rules: ruleViews,
  }
}

/** Each service at each topic that it reads; its slowest rule counts. */
async function readingsOf(
  { backend, clock }: System,
  standings: readonly Standing[],
): Promise<readonly Reading[]> {
  const slowest = new Map<string, Standing>()
  for (const each of standings) {
    const place = `${each.service}\n${each.topic}\n${each.partition}`
    const known = slowest.get(place)
    if (!known || each.lag > known.lag) slowest.set(place, each)
  }
  const readings = new Map<string, Reading>()
  for (const each of slowest.values()) {
    const { service, topic, end, lag } = each
    const known = readings.get(`${service}\n${topic}`)
    const ageMs = lag > 0 ? await waitedMs(backend.log, each, clock.now()) : 0
    readings.set(`${service}\n${topic}`, {
      is: 'reads',
      service,
      topic,
      lag: lag + (known?.lag ?? 0),
      ageMs: Math.max(ageMs, known?.ageMs ?? 0),
      passed: end - lag + (known?.passed ?? 0),
    })
  }
  return [...readings.values()]
}

function topicView(
  { name, partitions }: Catalog['topics'][0],
  { services }: Catalog,
  ends: readonly LogEnd[],
): TopicView {
  const ofTopic = ends.filter(({ topic }) => topic === name)
  const isReplies = services.some((service) => repliesTopic(service.name) === name)
  const isCommands = carriesCommands(name)
  return {
    name,
    carries: isReplies ? 'replies' : isCommands ? 'commands' : 'events',
    partitions,
    appended: sum(ofTopic, ({ next }) => next),
    held: sum(ofTopic, ({ first, next }) => next - first),
  }
}

function writesOf({ services }: Catalog): readonly LinkView[] {
  return services.flatMap(({ name, writes }) =>
    writes.map((topic): LinkView => ({ is: 'writes', service: name, topic })),
  )
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0)
}
