import type { ReactNode } from 'react'
import { useEffect } from 'react'
import type { FoundMessages } from '../../admin/wire.ts'
import { EventLine } from '../events/event-line.tsx'
import '../events/events.css'
import { useLive } from '../live/live-provider.tsx'
import { Panel } from '../panel/panel.tsx'
import { FailureNote } from '../panel/failure-note.tsx'
import { fragmentOf } from '../route/route.ts'
import { showInvisible } from '../text/show-invisible.ts'
import './lists.css'
import { Pager } from './pager.tsx'
import { useList } from './use-list.ts'

/** Search results. A message found by id alone is opened at once; messages of a key are listed. */
export function FindPanel({ text }: { text: string }): ReactNode {
  const { overview } = useLive()
  const now = overview?.at ?? 0
  const pages = useList<FoundMessages>('find', { text, limit: '50' }, 0)
  const { request } = pages
  const found = request.status === 'loaded' ? request.answer : undefined
  const isOnlyById = found?.byId !== undefined && found.items.length === 0
  useEffect(() => {
    // Replaces the history entry, so that Back does not lead here again.
    if (isOnlyById) location.replace(fragmentOf({ kind: 'event', id: text }))
  }, [isOnlyById, text])
  const isNothing = found !== undefined && !found.byId && found.items.length === 0
  return (
    <Panel kind="Search" title={text} isWide>
      {(request.status === 'loading' || isOnlyById) && <p className="note">Searching…</p>}
      {request.status === 'failed' && <FailureNote refused={request} />}
      {isNothing && !pages.next && (
        <div className="chain-missing">
          <p className="empty-title">No message has this id or this key</p>
          <p className="mono">{showInvisible(text)}</p>
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
      {found && !isOnlyById && !(isNothing && !pages.next) && (
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
