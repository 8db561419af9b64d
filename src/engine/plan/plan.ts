import type { AnyContract, ContractDefinition } from '../../contract/contract.ts'
import { commandsTopic, eventsTopic, definitionOf, repliesTopic } from '../../contract/contract.ts'
import type { MessageType } from '../../contract/message.ts'
import type { TopicSpec } from '../../ports/event-log.ts'
import type { TableSpec } from '../../ports/event-store.ts'
import { HELD_PAGE_TABLE, HELD_TABLE } from '../../ports/ledger.ts'
import type { Entity } from '../../rules/entity.ts'
import type { Handler } from '../../rules/handler.ts'
import type { Projection } from '../../rules/projection.ts'
import type { Rule } from '../../rules/rule.ts'
import type { Saga } from '../../rules/saga.ts'
import type { Service } from '../../rules/service.ts'
import { projectionDefinition } from './rule-fingerprint.ts'
import type { EntityFold } from './entity-fold.ts'
import { createEntityFold } from './entity-fold.ts'
import type { StoredNames } from './stored-names.ts'
import { SAME_NAMES } from './stored-names.ts'
import type { ProjectionDefinition } from './rule-fingerprint.ts'

/** A rule that consumes messages: it has progress, counters and holds of its own. */
export type ConsumerRule = Entity | Projection | Saga | Handler

/**
 * One rule of a service as a consumer. Its ids stay when it is renamed; its name is shown to
 * people.
 */
export interface Consumer<R extends ConsumerRule = ConsumerRule> {
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
export interface Subscription<R extends ConsumerRule = ConsumerRule> {
  readonly consumer: Consumer<R>
  readonly messageType: MessageType
  readonly rule: Rule
}

/** Subscriptions by topic and wire name. */
export type Subscriptions<R extends ConsumerRule = ConsumerRule> = ReadonlyMap<
  string,
  ReadonlyMap<string, readonly Subscription<R>[]>
>

/**
 * Consumers that read together. The pure rules of a service share one read of each partition and
 * one unit; each handler reads by itself, so that a slow handler delays no other consumer.
 */
export interface ConsumerGroup {
  /** The prefix of its lease resources. */
  readonly id: string
  readonly name: string
  /** The id of its service. */
  readonly service: string
  readonly consumers: readonly Consumer[]
  readonly subscriptions: Subscriptions
}

/** A service with everything that its processors look up. */
export interface ServicePlan {
  /** The name it is stored under, which stays when it is renamed. */
  readonly id: string
  readonly name: string
  readonly service: Service
  readonly groups: readonly ConsumerGroup[]
  /** Entities that evolve by an event, by `<contract>.<Event>`. */
  readonly evolvers: ReadonlyMap<string, readonly Evolver[]>
  /** Folds of entity states, by table. */
  readonly folds: ReadonlyMap<string, EntityFold>
  readonly projections: readonly ProjectionPlan[]
  readonly tables: readonly TableSpec[]
  readonly tableNames: ServiceTables
}

/** How one entity evolves by one event. */
export interface Evolver {
  readonly fold: EntityFold
  readonly rule: Rule
}

/** A projection, and the shadow consumer that rebuilds it into rows of its own. */
export interface ProjectionPlan {
  readonly consumer: Consumer
  readonly definition: ProjectionDefinition
  readonly shadow: Consumer<Projection>
  /** Subscriptions of the shadow consumer. */
  readonly subscriptions: Subscriptions<Projection>
}

/** The tables that the engine keeps for each service. */
export interface ServiceTables {
  readonly operations: string
  readonly timers: string
  readonly holds: string
  readonly held: string
  readonly heldPages: string
  /** Rows that operators change, such as pauses. */
  readonly control: string
  /** Snapshots of long folds in progress. */
  readonly snapshots: string
}

/** All services that run together, and every contract they know. */
export interface Plan {
  readonly services: readonly ServicePlan[]
  readonly contracts: ReadonlyMap<string, ContractDefinition>
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
export function createPlan(
  services: readonly Service[],
  remote: readonly AnyContract[],
  stored: StoredNames = SAME_NAMES,
): Plan {
  const contracts = collectContracts(services, remote)
  const plans = services.map((service) => createServicePlan(service, stored))
  const owners = new Map<string, ServicePlan>()
  for (const plan of plans)
    for (const contract of plan.service.owns) owners.set(definitionOf(contract).name, plan)
  return { services: plans, contracts, topics: topicsOf(plans, contracts), owners }
}

/** Every contract that services know, by name. */
export function collectContracts(
  services: readonly Service[],
  remote: readonly AnyContract[],
): ReadonlyMap<string, ContractDefinition> {
  const contracts = [...services.flatMap(({ owns }) => owns), ...remote]
  return new Map(contracts.map(definitionOf).map((facts) => [facts.name, facts]))
}

type KeptBy = Pick<TopicSpec, 'retention' | 'compaction'>

function topicsOf(
  services: readonly ServicePlan[],
  contracts: ReadonlyMap<string, ContractDefinition>,
): ReadonlyMap<string, TopicSpec> {
  const topics = new Map<string, TopicSpec>()
  const add = (name: string, partitions: number, keeping: KeptBy = {}): void =>
    void topics.set(name, { name, partitions, strategy: 'murmur2', ...keeping })
  for (const { name, partitions, topicSettings } of contracts.values()) {
    const { retention, compaction } = topicSettings
    add(commandsTopic(name), partitions, retention?.commands && { retention: retention.commands })
    add(eventsTopic(name), partitions, {
      ...(retention?.events && { retention: retention.events }),
      ...(compaction && { compaction }),
    })
  }
  for (const { id } of services) add(repliesTopic(id), REPLY_PARTITIONS)
  return topics
}

function createServicePlan(service: Service, stored: StoredNames): ServicePlan {
  const { name } = service
  const id = stored.service(name)
  const consumers = service.runs
    .filter((rule): rule is ConsumerRule => rule.kind !== 'query')
    .map((rule): Consumer => {
      const ruleId = stored.rule(name, rule.name)
      const consumerId = `${id}/${ruleId}`
      const table = tableOf(consumerId)
      return { id: consumerId, ruleId, name: `${name}/${rule.name}`, rule, table }
    })
  const pure = consumers.filter(({ rule }) => rule.kind !== 'handler')
  const handlers = consumers.filter(({ rule }) => rule.kind === 'handler')
  const group = (
    of: Pick<ConsumerGroup, 'id' | 'name'>,
    members: readonly Consumer[],
  ): ConsumerGroup => ({
    id: of.id,
    name: of.name,
    service: id,
    consumers: members,
    subscriptions: createSubscriptions(id, members),
  })
  const tableNames = serviceTables(id)
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
    tables: tablesOf(consumers, tableNames),
    tableNames,
  }
}

/** The table names that the engine keeps for a service. */
export function serviceTables(service: string): ServiceTables {
  return {
    operations: `${service}.operations`,
    timers: `${service}.timers`,
    holds: `${service}.holds`,
    held: `${service}${HELD_TABLE.suffix}`,
    heldPages: `${service}${HELD_PAGE_TABLE.suffix}`,
    control: controlTable(service),
    snapshots: `${service}.snapshots`,
  }
}

/** The table of a service that operators write to. */
export const controlTable = (service: string): string => `${service}.control`

/** The table of a consumer's rows, by the consumer's id. Handlers have none. */
export const tableOf = (consumerId: string): string => consumerId.replace('/', '.')

function createSubscriptions<R extends ConsumerRule>(
  service: string,
  consumers: readonly Consumer<R>[],
): Subscriptions<R> {
  const topics = new Map<string, Map<string, Subscription<R>[]>>()
  const add = (topic: string, wire: string, subscription: Subscription<R>): void => {
    const wires = topics.get(topic) ?? new Map<string, Subscription<R>[]>()
    topics.set(topic, wires)
    wires.set(wire, [...(wires.get(wire) ?? []), subscription])
  }
  for (const consumer of consumers)
    for (const rule of subscribingRules(consumer.rule)) {
      const { on: message, trigger } = rule
      const subscription: Subscription<R> = { consumer, messageType: message, rule }
      if (trigger !== 'message') add(repliesTopic(service), REPLY_TYPES[trigger], subscription)
      else {
        const { contract, kind } = message
        const topic = kind === 'command' ? commandsTopic(contract) : eventsTopic(contract)
        for (const wire of [message.wire, ...message.aliases]) add(topic, wire, subscription)
      }
    }
  return topics
}

/** The rules of a consumer that read from topics; `evolve` rules run on what `decide` returns. */
export function subscribingRules(rule: ConsumerRule): readonly Rule[] {
  return rule.kind === 'entity' ? rule.decide : rule.rules
}

function projectionsOf(service: string, consumers: readonly Consumer[]): readonly ProjectionPlan[] {
  return consumers.flatMap((consumer): ProjectionPlan[] => {
    const { id, rule, table } = consumer
    if (rule.kind !== 'projection') return []
    // Rule names contain no dot.
    const shadow = { ...consumer, rule, id: `${id}.shadow`, table: `${table}.shadow` }
    const definition = projectionDefinition(rule)
    return [{ consumer, definition, shadow, subscriptions: createSubscriptions(service, [shadow]) }]
  })
}

function foldsOf(consumers: readonly Consumer[]): ReadonlyMap<string, EntityFold> {
  const folds = new Map<string, EntityFold>()
  for (const { rule, table } of consumers)
    if (rule.kind === 'entity') folds.set(table, createEntityFold(rule, table))
  return folds
}

function evolversOf(
  folds: ReadonlyMap<string, EntityFold>,
): ReadonlyMap<string, readonly Evolver[]> {
  const evolvers = new Map<string, Evolver[]>()
  for (const fold of folds.values())
    for (const rule of fold.entity.evolve) {
      const name = `${rule.on.contract}.${rule.on.name}`
      const evolver = { fold, rule }
      evolvers.set(name, [...(evolvers.get(name) ?? []), evolver])
    }
  return evolvers
}

function tablesOf(consumers: readonly Consumer[], tableNames: ServiceTables): readonly TableSpec[] {
  const tables: TableSpec[] = [
    { name: tableNames.operations, indexes: ['at'] },
    { name: tableNames.timers, indexes: ['due', 'setAt'] },
    { name: tableNames.holds, indexes: ['consumer'] },
    { name: tableNames.held, indexes: [HELD_TABLE.index] },
    { name: tableNames.heldPages, indexes: [...HELD_PAGE_TABLE.indexes] },
    { name: tableNames.control, indexes: [] },
    { name: tableNames.snapshots, indexes: [] },
  ]
  for (const { rule, table } of consumers) {
    if (rule.kind === 'entity') tables.push({ name: table, indexes: [] })
    if (rule.kind === 'projection') tables.push({ name: table, indexes: rule.indexes })
    if (rule.kind === 'saga') tables.push({ name: table, indexes: ['operation', 'open', 'closed'] })
  }
  return tables
}
