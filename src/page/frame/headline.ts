// What there is to say about the whole, in one or two words and one sentence.
import type { Overview } from '../../admin/wire.ts'
import type { Live } from '../live/connection.ts'
import { durationText, manyText } from '../text/format.ts'

export interface Headline {
  readonly is: 'waiting' | 'lost' | 'well' | 'paused' | 'degraded' | 'failing'
  /** For the pill and the browser's title. */
  readonly title: string
  readonly detail: string
}

export function headlineOf({ link, overview, silentSeconds }: Live): Headline {
  if (link === 'lost') {
    const heard = silentSeconds > 1 ? ` Last heard ${durationText(silentSeconds * 1_000)} ago.` : ''
    const detail = `The system does not answer; the page keeps trying.${heard}`
    return { is: 'lost', title: 'Reconnecting', detail }
  }
  if (!overview) return { is: 'waiting', title: 'Connecting', detail: '' }
  const { is, detail } = overview.health
  const held = heldText(overview)
  if (is === 'failing')
    return { is, title: held === undefined ? 'Failing' : `Failing, ${held}`, detail }
  if (is === 'degraded' || held !== undefined)
    return { is: 'degraded', title: held ?? 'Degraded', detail }
  if (is === 'well') return { is, title: 'All well', detail }
  const paused = overview.services.filter(({ isPaused }) => isPaused).map(({ name }) => name)
  return { is, title: paused.length > 0 ? `${listOf(paused)} paused` : 'Paused', detail }
}

/** Events that wait behind a fault of their key. */
export const pendingIn = ({ services }: Overview): number =>
  services.reduce((sum, { pending }) => sum + pending, 0)

/**
 * What is held outweighs how health puts it: before an alarm is due, an event waits all the same. Keys
 * are held, and events wait: how many keys it is, only the alarms tell.
 */
function heldText(overview: Overview): string | undefined {
  const pending = pendingIn(overview)
  if (pending === 0) return undefined
  const keys = overview.health.alarms.reduce((sum, { kind, count }) => {
    return kind === 'held-keys' ? sum + count : sum
  }, 0)
  if (keys > 0) return `${manyText(keys, 'key')} held`
  return `${manyText(pending, 'event')} ${pending === 1 ? 'waits' : 'wait'}`
}

function listOf(names: readonly string[]): string {
  return names.length <= 2 ? names.join(' and ') : `${names.length} services`
}
