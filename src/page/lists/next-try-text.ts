import type { HeldKey } from '../../admin/wire.ts'
import { dueText } from '../text/format.ts'

/** When the next attempt at the first event of a held key is due. */
export function nextTryText(
  { hasNoRule, nextAttemptAt: at }: Pick<HeldKey, 'hasNoRule' | 'nextAttemptAt'>,
  now: number,
): string {
  if (hasNoRule) return 'no rule handles it'
  if (at === undefined) return 'it has failed: a dead letter'
  return at > now ? `next attempt ${dueText(at, now)}` : 'next attempt now'
}
