import type { Issue } from '../../base/errors/fault.ts'
import { commandsTopic } from '../../contract/contract.ts'
import type { CommandType } from '../../contract/message.ts'
import type { Rule } from '../../rules/rule.ts'
import type { Plan } from '../plan/index.ts'
import { invalidKeyReason } from '../../contract/message-key.ts'

/**
 * Issues with the entity ids that a command names. Reported to the sender, since later the rule
 * would fail and hold the sender's key.
 */
export function entityIdIssues(
  plan: Plan,
  { contract, wire }: CommandType,
  data: unknown,
): readonly Issue[] {
  const issues: Issue[] = []
  for (const { subscriptions } of plan.owners.get(contract)?.groups ?? [])
    for (const { consumer, rule } of subscriptions.get(commandsTopic(contract))?.get(wire) ?? []) {
      if (consumer.rule.kind !== 'entity') continue
      if (rule.ids) issues.push(...listedIdIssues(rule, data))
      else {
        const { id: path } = consumer.rule
        const message = invalidKeyReason((data as Readonly<Record<string, unknown>>)[path])
        if (message) issues.push({ path, message })
      }
    }
  return issues
}

function listedIdIssues(rule: Rule, data: unknown): readonly Issue[] {
  let ids: unknown
  try {
    ids = rule.ids?.(data as never)
  } catch {
    // This is an error of the rule, and is reported when it runs.
    return []
  }
  if (!Array.isArray(ids)) return []
  const issues = ids.map(invalidKeyReason).filter((issue) => issue !== undefined)
  return [...new Set(issues)].map((issue) => ({
    path: '',
    message: `one of its entity ids ${issue}`,
  }))
}
