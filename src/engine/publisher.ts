import { factsOf } from '../contract/contract.ts'
import type { MessageType } from '../contract/message.ts'
import type { Consuming, Plan } from './plan.ts'

/**
 * Why an event may not be appended from outside: its one writer is a rule, or a service elsewhere.
 * `undefined` if it may.
 */
export function publisherOf(plan: Plan, type: MessageType): string | undefined {
  const known = publishers.get(plan)?.get(type)
  if (known !== undefined) return known === '' ? undefined : known
  const found = find(plan, type)
  const ofPlan = publishers.get(plan) ?? new Map<MessageType, string>()
  publishers.set(plan, ofPlan.set(type, found ?? ''))
  return found
}

/** Cached, since it is asked for each event of a batch. */
const publishers = new WeakMap<Plan, Map<MessageType, string>>()

function find(plan: Plan, type: MessageType): string | undefined {
  const owner = plan.owners.get(type.contract)
  if (!owner) return 'is published by the owner of its contract, which does not run here'
  const rules = owner.groups.flatMap(({ consumers }) => consumers.map(({ rule }) => rule))
  const rule = rules.find((each) => publishes(each, type))
  return rule && `is published by ${rule.is} ${rule.name}: send it a command instead`
}

function publishes(rule: Consuming, type: MessageType): boolean {
  if (rule.is === 'projection') return false
  if (rule.is !== 'entity') return rule.emits.includes(type as never)
  if (factsOf(rule.of).name !== type.contract || rule.decide.length === 0) return false
  return rule.emits?.includes(type as never) ?? true
}
