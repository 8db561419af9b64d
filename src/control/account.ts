import { readConsumerStatus } from '../engine/operations/index.ts'
import type { System } from './system.ts'
import type { Account, ConsumerAccount } from './views.ts'

/**
 * What became of every event that each consumer has accepted. All counters come from one consistent
 * read.
 */
export async function accountOf({ catalog, backend }: System): Promise<Account> {
  const statuses = await readConsumerStatus({ catalog, backend })
  const consumers = statuses.map((status): ConsumerAccount => {
    const { consumer, accepted, completed, dead, discarded, expired, pending } = status
    const balances = accepted === completed + dead + discarded + expired + pending
    return { consumer, accepted, completed, dead, discarded, expired, pending, balances }
  })
  return { balances: consumers.every(({ balances }) => balances), consumers }
}
