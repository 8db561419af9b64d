import type { ReactNode } from 'react'
import { useEffect } from 'react'
import type { FoundMessages } from '../../admin/wire.ts'
import { EventLine } from '../events/event-line.tsx'
import '../events/events.css'
import { useLive } from '../live/live.tsx'
import { Panel } from '../panel/panel.tsx'
import { RefusedNote } from '../panel/refused-note.tsx'
import { fragmentOf } from '../route/route.ts'
import { visible } from '../text/visible.ts'
import './lists.css'
import { Pager } from './pager.tsx'
import { useList } from './use-list.ts'

/** Search results. A message found by id alone is opened at once; messages of a key are listed. */
export function FindPanel({ text }: { text: string }): ReactNode {
  const { overview } = useLive()
  const now = overview?.at ?? 0
  const pages = useList<FoundMessages>('find', { text, limit: '50' }, 0)
  const { asked } = pages
  const found = asked.is === 'loaded' ? asked.answer : undefined
  const isOnlyById = found?.byId !== undefined && found.items.length === 0
  useEffect(() => {
    // Replaces the history entry, so that Back does not lead here again.
    if (isOnlyById) location.replace(fragmentOf({ is: 'event', id: text }))
  }, [isOnlyById, text])
  const isNothing = found !== undefined && !found.byId && found.items.length === 0
  return (
    <Panel kind="Search" title={text} isWide>
      {(asked.is === 'loading' || isOnlyById) && <p className="note">Searching…</p>}
      {asked.is === 'failed' && <RefusedNote refused={asked} />}
      {isNothing && !pages.on && (
        <div className="chain-missing">
          <p className="empty-title">No message has this id or this key</p>
          <p className="mono">{visible(text)}</p>
        </div>
      )}
      {found?.byId && !isOnlyById && (
        <section aria-labelledby="by-id-title">
          <h3 id="by-id-title">Message with this id</h3>
          <ol className="event-list">
            <EventLine event={found.byId} now={now} />
          </ol>
        </section>
      )}
      {found && !isOnlyById && !(isNothing && !pages.on) && (
        <section aria-labelledby="by-key-title">
          <h3 id="by-key-title">Messages with this key, newest first</h3>
          {found.items.length === 0 && <p className="note">No matches so far.</p>}
          <ol className="event-list">
            {found.items.map((event) => (
              <EventLine key={`${event.topic} ${event.id}`} event={event} now={now} />
            ))}
          </ol>
          <Pager pages={pages} words={['Newer', 'Older']} />
        </section>
      )}
    </Panel>
  )
}
