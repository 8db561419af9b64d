// The status of the whole system in a few words, with one sentence of detail.
import type { Overview } from '../../admin/wire.ts'
import type { Live } from '../live/connection.ts'
import { durationText, manyText } from '../text/format.ts'

export interface Headline {
  readonly status: 'waiting' | 'lost' | 'well' | 'paused' | 'degraded' | 'failing'
  /** Shown in the header and in the browser's title. */
  readonly title: string
  readonly detail: string
}

export function headlineOf({ link, overview, silentSeconds }: Live): Headline {
  if (link === 'lost') {
    const silence = durationText(silentSeconds * 1_000)
    const heard = silentSeconds > 1 ? ` Last update ${silence} ago.` : ''
    const detail = `No connection to the system. Retrying.${heard}`
    return { status: 'lost', title: 'Reconnecting', detail }
  }
  if (!overview) return { status: 'waiting', title: 'Connecting', detail: '' }
  const { status, detail } = overview.health
  const held = heldText(overview)
  if (status === 'failing')
    return { status, title: held === undefined ? 'Failing' : `Failing, ${held}`, detail }
  if (status === 'degraded' || held !== undefined)
    return { status: 'degraded', title: held ?? 'Degraded', detail }
  if (status === 'well') return { status, title: 'Healthy', detail }
  const paused = overview.services.filter(({ isPaused }) => isPaused).map(({ name }) => name)
  return { status, title: paused.length > 0 ? `${listOf(paused)} paused` : 'Paused', detail }
}

/** The number of held events. */
export const pendingEvents = ({ services }: Overview): number =>
  services.reduce((sum, { pending }) => sum + pending, 0)

/** Failed events that nobody has resolved. */
export const deadLetters = ({ services }: Overview): number =>
  services.reduce((sum, { dead }) => sum + dead, 0)

/**
 * Dead letters, or else held keys or events, which are shown even before they raise an alarm. Only the alarms have the
 * number of keys; without an alarm, the number of events is known.
 */
function heldText(overview: Overview): string | undefined {
  const dead = deadLetters(overview)
  if (dead > 0) return manyText(dead, 'dead letter')
  const pending = pendingEvents(overview)
  if (pending === 0) return undefined
  const keys = overview.health.alarms.reduce((sum, { kind, count }) => {
    return kind === 'held-keys' ? sum + count : sum
  }, 0)
  if (keys > 0) return `${manyText(keys, 'key')} held`
  return `${manyText(pending, 'event')} held`
}

function listOf(names: readonly string[]): string {
  return names.length <= 2 ? names.join(' and ') : `${names.length} services`
}
