import { definitionOf } from '../../contract/contract.ts'
import type { MessageType } from '../../contract/message.ts'
import type { ConsumerRule, Plan } from '../plan/index.ts'

/**
 * Why an event may not be appended from outside: its one writer is a rule, or a service elsewhere.
 * `undefined` if it may.
 */
export function whyNotAppendable(plan: Plan, type: MessageType): string | undefined {
  const known = knownReasons.get(plan)?.get(type)
  if (known !== undefined) return known === '' ? undefined : known
  const found = findReason(plan, type)
  const ofPlan = knownReasons.get(plan) ?? new Map<MessageType, string>()
  knownReasons.set(plan, ofPlan.set(type, found ?? ''))
  return found
}

/** Cached, since it is asked for each event of a batch. */
const knownReasons = new WeakMap<Plan, Map<MessageType, string>>()

function findReason(plan: Plan, type: MessageType): string | undefined {
  const owner = plan.owners.get(type.contract)
  if (!owner) return 'is published by the owner of its contract, which does not run here'
  const rules = owner.groups.flatMap(({ consumers }) => consumers.map(({ rule }) => rule))
  const rule = rules.find((each) => publishes(each, type))
  return rule && `is published by ${rule.kind} ${rule.name}: send it a command instead`
}

function publishes(rule: ConsumerRule, type: MessageType): boolean {
  if (rule.kind === 'projection') return false
  if (rule.kind !== 'entity') return rule.emits.includes(type as never)
  if (definitionOf(rule.of).name !== type.contract || rule.decide.length === 0) return false
  return rule.emits?.includes(type as never) ?? true
}
