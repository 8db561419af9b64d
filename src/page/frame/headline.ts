// What there is to say about the whole, in one or two words and one sentence.
import type { Live } from '../live/connection.ts'
import { durationText } from '../text/format.ts'

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
  if (is === 'failing') return { is, title: 'Failing', detail }
  if (is === 'degraded') return { is, title: 'Degraded', detail }
  if (is === 'well') return { is, title: 'All well', detail }
  const paused = overview.services.filter(({ isPaused }) => isPaused).map(({ name }) => name)
  return { is, title: paused.length > 0 ? `${listOf(paused)} paused` : 'Paused', detail }
}

function listOf(names: readonly string[]): string {
  return names.length <= 2 ? names.join(' and ') : `${names.length} services`
}
