import type { ReactNode } from 'react'
import type { EventView } from '../../admin/wire.ts'
import { ageText, dateText, shortKey } from '../text/format.ts'
import { showInvisible } from '../text/show-invisible.ts'

interface Props {
  readonly event: EventView
  readonly now: number
  /** Shows the producer, or partition and offset. */
  readonly aside?: 'source' | 'place'
}

/** One event as a line that opens its chain. */
export function EventLine({ event, now, aside = 'source' }: Props): ReactNode {
  const { id, type, key, source, topic, partition, offset, at, kind } = event
  const from = source === 'door' ? 'from outside' : showInvisible(source)
  return (
    <li>
      <a
        className="event-line"
        href={`#/event/${encodeURIComponent(id)}`}
        data-opens={`event:${id}`}
        data-kind={kind}
        data-carries={topic.split('.').at(-1)}
      >
        <span className="event-type">{showInvisible(type)}</span>
        <span className="event-key" title={showInvisible(key)}>
          {shortKey(showInvisible(key))}
        </span>
        <span className="event-source">{aside === 'place' ? `${partition}@${offset}` : from}</span>
        <span className="event-age" title={dateText(at)}>
          {ageText(now - at)}
        </span>
      </a>
    </li>
  )
}
