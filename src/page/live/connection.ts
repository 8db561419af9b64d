// Keeps the page's data up to date from the event stream. A stream that ends is opened again; one that
// falls silent counts as lost.
import type { EventView, Overview, SampleView } from '../../admin/wire.ts'
import type { History } from './history.ts'
import { addOverview, NO_HISTORY, withServerSamples } from './history.ts'

export interface Live {
  readonly link: 'connecting' | 'live' | 'lost'
  /** The last overview, however old. */
  readonly overview?: Overview
  readonly history: History
  /** Newest first. */
  readonly newest: readonly EventView[]
  /** Whole seconds since the last overview, while the connection is lost. */
  readonly silentSeconds: number
}

export interface Connection {
  readonly subscribe: (changed: () => void) => () => void
  readonly now: () => Live
}

/** Overviews come about once a second. */
const SILENCE_MS = 6_000
const REOPEN_MS = 2_000

export function connect(url: string): Connection {
  const listeners = new Set<() => void>()
  let live: Live = { link: 'connecting', history: NO_HISTORY, newest: [], silentSeconds: 0 }
  let heardAt = performance.now()
  let openedAt = heardAt
  let source = open()

  function change(next: Partial<Live>): void {
    live = { ...live, ...next }
    for (const listener of listeners) listener()
  }

  function open(): EventSource {
    const stream = new EventSource(url)
    openedAt = performance.now()
    stream.addEventListener('overview', ({ data }: MessageEvent<string>) => {
      const overview = JSON.parse(data) as Overview
      heardAt = performance.now()
      change({
        link: 'live',
        silentSeconds: 0,
        overview,
        history: addOverview(live.history, overview),
      })
    })
    stream.addEventListener('newest', ({ data }: MessageEvent<string>) =>
      change({ newest: JSON.parse(data) as readonly EventView[] }),
    )
    const keep = (past: readonly SampleView[]): void =>
      change({ history: withServerSamples(live.history, past) })
    stream.addEventListener('history', ({ data }: MessageEvent<string>) =>
      keep(JSON.parse(data) as readonly SampleView[]),
    )
    stream.addEventListener('sample', ({ data }: MessageEvent<string>) =>
      keep([...live.history.serverSamples, JSON.parse(data) as SampleView]),
    )
    stream.addEventListener('error', () => change({ link: 'lost' }))
    return stream
  }

  function watch(at: number): void {
    const silentMs = at - heardAt
    const silentSeconds = Math.floor(silentMs / 1_000)
    if (live.link === 'lost' && silentSeconds !== live.silentSeconds) change({ silentSeconds })
    if (live.link === 'live' && silentMs > SILENCE_MS) change({ link: 'lost', silentSeconds })
    const isStale = source.readyState === EventSource.CLOSED || silentMs > 2 * SILENCE_MS
    if (isStale && at - openedAt > (silentMs > 2 * SILENCE_MS ? SILENCE_MS : REOPEN_MS)) {
      source.close()
      source = open()
    }
    requestAnimationFrame(watch)
  }
  requestAnimationFrame(watch)

  return {
    subscribe(changed) {
      listeners.add(changed)
      return () => listeners.delete(changed)
    },
    now: () => live,
  }
}
