import type { ReactNode } from 'react'
import type { EventView } from '../../admin/wire.ts'
import { ageText, shortKey } from '../text/format.ts'
import { visible } from '../text/visible.ts'

/** One event as a line that opens its chain. */
export function EventLine({ event, now }: { event: EventView; now: number }): ReactNode {
  const { id, type, key, source, topic, at, kind } = event
  return (
    <li>
      <a
        className="event-line"
        href={`#/event/${encodeURIComponent(id)}`}
        data-opens={`event:${id}`}
        data-kind={kind}
        data-carries={topic.split('.').at(-1)}
      >
        <span className="event-type">{visible(type)}</span>
        <span className="event-key" title={visible(key)}>
          {shortKey(visible(key))}
        </span>
        <span className="event-source">{source === 'door' ? 'from outside' : visible(source)}</span>
        <span className="event-age">{ageText(now - at)}</span>
      </a>
    </li>
  )
}
