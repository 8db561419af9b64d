import type { HeldKey } from '../../admin/wire.ts'
import { dueText } from '../text/format.ts'

/** When the next attempt at the first event of a held key is due. */
export function nextTryText(
  { isUnread, nextAttemptAt: at }: Pick<HeldKey, 'isUnread' | 'nextAttemptAt'>,
  now: number,
): string {
  if (isUnread) return 'no rule handles it'
  return at > now ? `next attempt ${dueText(at, now)}` : 'next attempt now'
}
