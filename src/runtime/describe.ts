import { commandsTopic, eventsTopic, factsOf } from '../contract/contract.ts'
import type { Kind } from '../contract/message.ts'
import type { Plan } from '../engine/plan.ts'
import { rulesOf } from '../engine/plan.ts'
import type { Runnable } from '../rules/service.ts'

/** The services, contracts and topics of an app, as JSON data. */
export interface Description {
  readonly services: readonly ServiceDescription[]
  readonly contracts: readonly ContractDescription[]
  readonly topics: readonly { readonly name: string; readonly partitions: number }[]
}

export interface ServiceDescription {
  readonly name: string
  readonly owns: readonly string[]
  readonly runs: readonly RuleDescription[]
}

export interface RuleDescription {
  readonly name: string
  readonly is: Runnable['is']
  /** Wire names of the messages that the rule handles. */
  readonly hears: readonly string[]
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
    readonly kind: Kind
    readonly wire: string
    readonly aliases: readonly string[]
    readonly refuses: readonly string[]
  }[]
}

export function describe(plan: Plan): Description {
  return {
    services: plan.services.map(({ name, service }) => ({
      name,
      owns: service.owns.map((contract) => factsOf(contract).name),
      runs: service.runs.map(describeRule),
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

function describeRule(rule: Runnable): RuleDescription {
  const rules = rule.is === 'query' ? rule.rules : rulesOf(rule)
  return {
    name: rule.name,
    is: rule.is,
    hears: [...new Set(rules.map(({ on }) => on.wire))],
    sends: rule.is === 'saga' || rule.is === 'handler' ? rule.sends.map(({ wire }) => wire) : [],
    emits: emitsOf(rule),
  }
}

function emitsOf(rule: Runnable): readonly string[] {
  if (rule.is === 'saga' || rule.is === 'handler') return rule.emits.map(({ wire }) => wire)
  if (rule.is !== 'entity') return []
  if (rule.emits) return rule.emits.map(({ wire }) => wire)
  const types = [...factsOf(rule.of).byName.values()]
  return types.filter(({ kind }) => kind === 'event').map(({ wire }) => wire)
}
