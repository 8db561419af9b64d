import { commandsTopic, eventsTopic, definitionOf } from '../contract/contract.ts'
import type { MessageKind } from '../contract/message.ts'
import type { Edge } from '../edges/edge.ts'
import { edgesOf } from '../edges/run-edges.ts'
import type { Plan } from '../engine/plan/index.ts'
import { subscribingRules } from '../engine/plan/index.ts'
import type { Runnable } from '../rules/service.ts'

/** The services, contracts and topics of an app, as JSON data. */
export interface AppDescription {
  readonly services: readonly ServiceDescription[]
  readonly contracts: readonly ContractDescription[]
  readonly topics: readonly { readonly name: string; readonly partitions: number }[]
}

export interface ServiceDescription {
  readonly name: string
  readonly owns: readonly string[]
  readonly runs: readonly RuleDescription[]
  readonly edges: readonly EdgeDescription[]
}

/** A connection with an external system; messages are named by their wire names. */
export interface EdgeDescription {
  readonly name: string
  readonly system: string
  readonly receives: readonly { readonly topic: string; readonly becomes: string }[]
  readonly sends: readonly { readonly topic: string; readonly message: string }[]
}

export interface RuleDescription {
  readonly name: string
  readonly kind: Runnable['kind']
  /** Wire names of the messages that the rule handles. */
  readonly handles: readonly string[]
  /** Wire names of the commands that the rule may send. */
  readonly sends: readonly string[]
  /** Wire names of the events that the rule may publish. */
  readonly emits: readonly string[]
}

export interface ContractDescription {
  readonly name: string
  readonly key: string
  readonly partitions: number
  readonly owner: string | undefined
  readonly commandsTopic: string
  readonly eventsTopic: string
  readonly messages: readonly {
    readonly name: string
    readonly kind: MessageKind
    readonly wire: string
    readonly aliases: readonly string[]
    readonly refuses: readonly string[]
  }[]
}

export function describe(plan: Plan): AppDescription {
  return {
    services: plan.services.map(({ name, service }) => ({
      name,
      owns: service.owns.map((contract) => definitionOf(contract).name),
      runs: service.runs.map(describeRule),
      edges: edgesOf([service]).map(describeEdge),
    })),
    contracts: [...plan.contracts.values()].map(({ name, key, partitions, byName }) => ({
      name,
      key,
      partitions,
      owner: plan.owners.get(name)?.name,
      commandsTopic: commandsTopic(name),
      eventsTopic: eventsTopic(name),
      messages: [...byName.values()].map((type) => ({
        name: type.name,
        kind: type.kind,
        wire: type.wire,
        aliases: type.aliases,
        refuses: type.kind === 'command' ? type.refuses : [],
      })),
    })),
    topics: [...plan.topics.values()].map(({ name, partitions }) => ({ name, partitions })),
  }
}

function describeEdge({ name, system, receives, sends }: Edge): EdgeDescription {
  return {
    name,
    system,
    receives: receives.map(({ topic, becomes }) => ({ topic, becomes: becomes.wire })),
    sends: sends.map(({ topic, event }) => ({ topic, message: event.wire })),
  }
}

function describeRule(rule: Runnable): RuleDescription {
  const rules = rule.kind === 'query' ? rule.rules : subscribingRules(rule)
  return {
    name: rule.name,
    kind: rule.kind,
    handles: [...new Set(rules.map(({ on }) => on.wire))],
    sends:
      rule.kind === 'saga' || rule.kind === 'handler' ? rule.sends.map(({ wire }) => wire) : [],
    emits: emitsOf(rule),
  }
}

function emitsOf(rule: Runnable): readonly string[] {
  if (rule.kind === 'saga' || rule.kind === 'handler') return rule.emits.map(({ wire }) => wire)
  if (rule.kind !== 'entity') return []
  if (rule.emits) return rule.emits.map(({ wire }) => wire)
  const types = [...definitionOf(rule.of).byName.values()]
  return types.filter(({ kind }) => kind === 'event').map(({ wire }) => wire)
}
