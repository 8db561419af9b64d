import { repliesTopic } from '../../contract/contract.ts'
import type { LedgerSubscription } from '../../ports/status.ts'
import type { ServicePlan } from './plan.ts'

/** What the consumers of a service read, for the views of the ledger. */
export function ledgerSubscriptions({
  id,
  name,
  groups,
}: ServicePlan): readonly LedgerSubscription[] {
  const replies = repliesTopic(id)
  const found = new Map<string, LedgerSubscription>()
  for (const { subscriptions } of groups)
    for (const [topic, types] of subscriptions)
      for (const [type, each] of types)
        for (const { consumer, messageType } of each) {
          const isResponse = topic === replies || messageType.kind === 'refusal'
          const subscription = { consumer: consumer.id, service: name, topic, type, isResponse }
          found.set([consumer.id, topic, type].join(' '), subscription)
        }
  return [...found.values()]
}
