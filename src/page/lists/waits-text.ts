import type { WaitLine } from '../../admin/wait-lines.ts'
import { dueText } from '../text/format.ts'
import { showInvisible } from '../text/show-invisible.ts'

/** Maximum number of event types that are named. */
const TYPES_MAX = 4

/** One line of text for what is waited for. */
export function waitsText({ waits, count }: WaitLine, now: number): string {
  switch (waits.kind) {
    case 'timer': {
      const type = showInvisible(waits.type)
      const due = waits.dueAt === undefined ? '' : dueText(waits.dueAt, now)
      if (count > 1) return `waits for ${count} timers, the next for ${type} ${due}`.trimEnd()
      return `waits for the timer ${type}${due && `, due ${due}`}`
    }
    case 'answer':
      return `waits for the reply to ${showInvisible(waits.command)}${heldText(waits)}`
    case 'event':
      return `waits for ${typesText(waits.types)}${heldText(waits)}`
  }
}

function typesText(types: readonly string[]): string {
  if (types.length === 0) return 'a message'
  const named = types.slice(0, TYPES_MAX).map(showInvisible).join(', ')
  const more = types.length > TYPES_MAX ? ` or ${types.length - TYPES_MAX} others` : ''
  return types.length === 1 ? `the event ${named}` : `one of ${named}${more}`
}

const heldText = ({ heldBy }: { readonly heldBy?: string }): string =>
  heldBy === undefined ? '' : `, held by ${heldBy}`
