import type { Complaint } from '../base/fault.ts'
import { commandsTopic } from '../contract/contract.ts'
import { flawOfKey } from '../contract/door.ts'
import type { CommandType } from '../contract/message.ts'
import type { Rule } from '../rules/rule.ts'
import type { Plan } from './plan.ts'

/**
 * Issues with the entity ids that a command names. Reported to the sender, since later the rule
 * would fail and hold the sender's key.
 */
export function complaintsOfIds(
  plan: Plan,
  { contract, wire }: CommandType,
  data: unknown,
): readonly Complaint[] {
  const complaints: Complaint[] = []
  for (const { reactions } of plan.owners.get(contract)?.groups ?? [])
    for (const { consumer, rule } of reactions.get(commandsTopic(contract))?.get(wire) ?? []) {
      if (consumer.rule.is !== 'entity') continue
      if (rule.ids) complaints.push(...complaintsOfNamed(rule, data))
      else {
        const { id: path } = consumer.rule
        const message = flawOfKey((data as Readonly<Record<string, unknown>>)[path])
        if (message) complaints.push({ path, message })
      }
    }
  return complaints
}

function complaintsOfNamed(rule: Rule, data: unknown): readonly Complaint[] {
  let ids: unknown
  try {
    ids = rule.ids?.(data as never)
  } catch {
    // This is an error of the rule, and is reported when it runs.
    return []
  }
  if (!Array.isArray(ids)) return []
  const flaws = ids.map(flawOfKey).filter((flaw) => flaw !== undefined)
  return [...new Set(flaws)].map((flaw) => ({ path: '', message: `one of its entity ids ${flaw}` }))
}
