import type { AnyContract, ContractFacts } from '../contract/contract.ts'
import { commandsTopic, eventsTopic, factsOf, repliesTopic } from '../contract/contract.ts'
import type { MessageType } from '../contract/message.ts'
import type { TopicSpec } from '../ports/log.ts'
import type { TableSpec } from '../ports/store.ts'
import type { Entity } from '../rules/entity.ts'
import type { Handler } from '../rules/handler.ts'
import type { Projection } from '../rules/projection.ts'
import type { Rule } from '../rules/rule.ts'
import type { Saga } from '../rules/saga.ts'
import type { Service } from '../rules/service.ts'
import type { Definition } from './build.ts'
import { definitionOf } from './definition.ts'
import type { Fold } from './fold.ts'
import { foldOf } from './fold.ts'
import type { StoredNames } from './stored-names.ts'
import { SAME_NAMES } from './stored-names.ts'

/** A rule that consumes messages: it has progress, counters and holds of its own. */
export type Consuming = Entity | Projection | Saga | Handler

/**
 * One rule of a service as a consumer. Its ids stay when it is renamed; its name is shown to
 * people.
 */
export interface Consumer<R extends Consuming = Consuming> {
  /** `<service>/<rule>`, as it is stored. */
  readonly id: string
  /** The part of the rule in its id. */
  readonly ruleId: string
  /** `<service>/<rule>`, by current names. */
  readonly name: string
  readonly rule: R
  /** The table of its rows; handlers have none. */
  readonly table: string
}

/** A consumer's subscription to one wire name in one topic. */
export interface Reaction<R extends Consuming = Consuming> {
  readonly consumer: Consumer<R>
  readonly message: MessageType
  readonly rule: Rule
}

/** Subscriptions by topic and wire name. */
export type Reactions<R extends Consuming = Consuming> = ReadonlyMap<
  string,
  ReadonlyMap<string, readonly Reaction<R>[]>
>

/**
 * Consumers that read together. The pure rules of a service share one read of each partition and
 * one unit; each handler reads by itself, so that a slow handler delays no other consumer.
 */
export interface Group {
  /** The prefix of its lease resources. */
  readonly id: string
  readonly name: string
  /** The id of its service. */
  readonly service: string
  readonly consumers: readonly Consumer[]
  readonly reactions: Reactions
}

/** A service with everything that its processors look up. */
export interface ServicePlan {
  /** The name it is stored under, which stays when it is renamed. */
  readonly id: string
  readonly name: string
  readonly service: Service
  readonly groups: readonly Group[]
  /** Entities that evolve by an event, by `<contract>.<Event>`. */
  readonly evolvers: ReadonlyMap<string, readonly Evolver[]>
  /** Folds of entity states, by table. */
  readonly folds: ReadonlyMap<string, Fold>
  readonly projections: readonly ProjectionPlan[]
  readonly tables: readonly TableSpec[]
  readonly names: ServiceTables
}

/** How one entity evolves by one event. */
export interface Evolver {
  readonly fold: Fold
  readonly rule: Rule
}

/** A projection, and the shadow consumer that rebuilds it into rows of its own. */
export interface ProjectionPlan {
  readonly consumer: Consumer
  readonly definition: Definition
  readonly shadow: Consumer<Projection>
  /** Subscriptions of the shadow consumer. */
  readonly reactions: Reactions<Projection>
}

/** The tables that the engine keeps for each service. */
export interface ServiceTables {
  readonly operations: string
  readonly timers: string
  readonly holds: string
  readonly held: string
  /** Rows that operators change, such as pauses. */
  readonly control: string
  /** Snapshots of long folds in progress. */
  readonly snapshots: string
}

/** All services that run together, and every contract they know. */
export interface Plan {
  readonly services: readonly ServicePlan[]
  readonly contracts: ReadonlyMap<string, ContractFacts>
  readonly topics: ReadonlyMap<string, TopicSpec>
  /** The service that owns each contract, by the contract's name. Only services of this process. */
  readonly owners: ReadonlyMap<string, ServicePlan>
}

/** Wire names of replies. They do not depend on the contract of the command. */
export const REPLY_TYPES = {
  refused: 'throughline.refused',
  failed: 'throughline.failed',
} as const

const REPLY_PARTITIONS = 8

/** Creates the plan once, so that processors only look things up. */
export function planOf(
  services: readonly Service[],
  elsewhere: readonly AnyContract[],
  stored: StoredNames = SAME_NAMES,
): Plan {
  const contracts = contractsOf(services, elsewhere)
  const plans = services.map((service) => servicePlan(service, stored))
  const owners = new Map<string, ServicePlan>()
  for (const plan of plans)
    for (const contract of plan.service.owns) owners.set(factsOf(contract).name, plan)
  return { services: plans, contracts, topics: topicsOf(plans, contracts), owners }
}

/** Every contract that services know, by name. */
export function contractsOf(
  services: readonly Service[],
  elsewhere: readonly AnyContract[],
): ReadonlyMap<string, ContractFacts> {
  const contracts = [...services.flatMap(({ owns }) => owns), ...elsewhere]
  return new Map(contracts.map(factsOf).map((facts) => [facts.name, facts]))
}

type Kept = Pick<TopicSpec, 'retention' | 'compaction'>

function topicsOf(
  services: readonly ServicePlan[],
  contracts: ReadonlyMap<string, ContractFacts>,
): ReadonlyMap<string, TopicSpec> {
  const topics = new Map<string, TopicSpec>()
  const add = (name: string, partitions: number, keeping: Kept = {}): void =>
    void topics.set(name, { name, partitions, strategy: 'murmur2', ...keeping })
  for (const { name, partitions, keeping } of contracts.values()) {
    const { retention, compaction } = keeping
    add(commandsTopic(name), partitions, retention?.commands && { retention: retention.commands })
    add(eventsTopic(name), partitions, {
      ...(retention?.events && { retention: retention.events }),
      ...(compaction && { compaction }),
    })
  }
  for (const { id } of services) add(repliesTopic(id), REPLY_PARTITIONS)
  return topics
}

function servicePlan(service: Service, stored: StoredNames): ServicePlan {
  const { name } = service
  const id = stored.service(name)
  const consumers = service.runs
    .filter((rule): rule is Consuming => rule.is !== 'query')
    .map((rule): Consumer => {
      const ruleId = stored.rule(name, rule.name)
      const consumerId = `${id}/${ruleId}`
      const table = tableOf(consumerId)
      return { id: consumerId, ruleId, name: `${name}/${rule.name}`, rule, table }
    })
  const pure = consumers.filter(({ rule }) => rule.is !== 'handler')
  const handlers = consumers.filter(({ rule }) => rule.is === 'handler')
  const group = (of: Pick<Group, 'id' | 'name'>, members: readonly Consumer[]): Group => ({
    id: of.id,
    name: of.name,
    service: id,
    consumers: members,
    reactions: reactionsOf(id, members),
  })
  const names = serviceTables(id)
  const folds = foldsOf(consumers)
  return {
    id,
    name,
    service,
    groups: [
      ...(pure.length > 0 ? [group({ id, name }, pure)] : []),
      ...handlers.map((consumer) => group(consumer, [consumer])),
    ],
    evolvers: evolversOf(folds),
    folds,
    projections: projectionsOf(id, consumers),
    tables: tablesOf(consumers, names),
    names,
  }
}

/** The table names that the engine keeps for a service. */
export function serviceTables(service: string): ServiceTables {
  return {
    operations: `${service}.operations`,
    timers: `${service}.timers`,
    holds: `${service}.holds`,
    held: `${service}.held`,
    control: controlTable(service),
    snapshots: `${service}.snapshots`,
  }
}

/** The table of a service that operators write to. */
export const controlTable = (service: string): string => `${service}.control`

/** The table of a consumer's rows, by the consumer's id. Handlers have none. */
export const tableOf = (consumerId: string): string => consumerId.replace('/', '.')

function reactionsOf<R extends Consuming>(
  service: string,
  consumers: readonly Consumer<R>[],
): Reactions<R> {
  const topics = new Map<string, Map<string, Reaction<R>[]>>()
  const add = (topic: string, wire: string, reaction: Reaction<R>): void => {
    const wires = topics.get(topic) ?? new Map<string, Reaction<R>[]>()
    topics.set(topic, wires)
    wires.set(wire, [...(wires.get(wire) ?? []), reaction])
  }
  for (const consumer of consumers)
    for (const rule of rulesOf(consumer.rule)) {
      const { on: message, hears } = rule
      const reaction: Reaction<R> = { consumer, message, rule }
      if (hears !== 'message') add(repliesTopic(service), REPLY_TYPES[hears], reaction)
      else {
        const { contract, kind } = message
        const topic = kind === 'command' ? commandsTopic(contract) : eventsTopic(contract)
        for (const wire of [message.wire, ...message.aliases]) add(topic, wire, reaction)
      }
    }
  return topics
}

/** The rules of a consumer that read from topics; `evolve` rules run on what `decide` returns. */
export function rulesOf(rule: Consuming): readonly Rule[] {
  return rule.is === 'entity' ? rule.decide : rule.rules
}

function projectionsOf(service: string, consumers: readonly Consumer[]): readonly ProjectionPlan[] {
  return consumers.flatMap((consumer): ProjectionPlan[] => {
    const { id, rule, table } = consumer
    if (rule.is !== 'projection') return []
    // Rule names contain no dot.
    const shadow = { ...consumer, rule, id: `${id}.shadow`, table: `${table}.shadow` }
    const definition = definitionOf(rule)
    return [{ consumer, definition, shadow, reactions: reactionsOf(service, [shadow]) }]
  })
}

function foldsOf(consumers: readonly Consumer[]): ReadonlyMap<string, Fold> {
  const folds = new Map<string, Fold>()
  for (const { rule, table } of consumers)
    if (rule.is === 'entity') folds.set(table, foldOf(rule, table))
  return folds
}

function evolversOf(folds: ReadonlyMap<string, Fold>): ReadonlyMap<string, readonly Evolver[]> {
  const evolvers = new Map<string, Evolver[]>()
  for (const fold of folds.values())
    for (const rule of fold.entity.evolve) {
      const name = `${rule.on.contract}.${rule.on.name}`
      const evolver = { fold, rule }
      evolvers.set(name, [...(evolvers.get(name) ?? []), evolver])
    }
  return evolvers
}

function tablesOf(consumers: readonly Consumer[], names: ServiceTables): readonly TableSpec[] {
  const tables: TableSpec[] = [
    { name: names.operations, indexes: [] },
    { name: names.timers, indexes: ['due', 'setAt'] },
    { name: names.holds, indexes: ['consumer'] },
    { name: names.held, indexes: ['hold'] },
    { name: names.control, indexes: [] },
    { name: names.snapshots, indexes: [] },
  ]
  for (const { rule, table } of consumers) {
    if (rule.is === 'entity') tables.push({ name: table, indexes: [] })
    if (rule.is === 'projection') tables.push({ name: table, indexes: rule.indexes })
    if (rule.is === 'saga') tables.push({ name: table, indexes: ['operation', 'open'] })
  }
  return tables
}
