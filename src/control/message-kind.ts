import { commandsTopic } from '../contract/contract.ts'
import type { Envelope } from '../contract/envelope.ts'
import type { Catalog } from '../engine/plan/index.ts'
import { REPLY_TYPES } from '../engine/plan/index.ts'
import type { EventViewKind } from './views.ts'

const COMMANDS = commandsTopic('')

export const carriesCommands = (topic: string): boolean => topic.endsWith(COMMANDS)

/** The kind of a message, from the contracts and its envelope and never from its name. */
export function messageKindOf(
  { services }: Catalog,
  topic: string,
  { type, undoes }: Pick<Envelope, 'type' | 'undoes'>,
): EventViewKind {
  if (type === REPLY_TYPES.failed) return 'failure'
  const isRefusal = services.some(({ refusals }) => refusals?.includes(type))
  if (isRefusal || type === REPLY_TYPES.refused) return 'refusal'
  if (undoes !== undefined) return 'compensation'
  return carriesCommands(topic) ? 'command' : 'event'
}
