import type { HeldKey } from '../../admin/wire.ts'
import { dueText } from '../text/format.ts'

/** When the event in front of a held key is tried next. */
export function nextTryText(
  { isUnread, nextAttemptAt: at }: Pick<HeldKey, 'isUnread' | 'nextAttemptAt'>,
  now: number,
): string {
  if (isUnread) return 'no rule reads it here'
  return at > now ? `next try ${dueText(at, now)}` : 'next try now'
}
