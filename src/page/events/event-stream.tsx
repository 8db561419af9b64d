import { Pause, Play } from 'lucide-react'
import type { ReactNode } from 'react'
import { useState } from 'react'
import type { EventView } from '../../admin/wire.ts'
import { EventLine } from './event-line.tsx'
import './events.css'

interface Props {
  readonly title: string
  /** Newest first. */
  readonly events: readonly EventView[]
  readonly now: number
  readonly empty: string
  /** New events arrive by themselves, so the list can be frozen. */
  readonly isLive?: boolean
  readonly aside?: 'source' | 'place'
}

/** A live list of events. It freezes on request, and while the pointer or the focus is on it. */
export function EventStream(props: Props): ReactNode {
  const { title, events, now, empty, isLive = true, aside = 'source' } = props
  const [isHeld, setHeld] = useState(false)
  const [isPointed, setPointed] = useState(false)
  const [kept, setKept] = useState(events)
  const isStill = isLive && (isHeld || isPointed)
  if (!isStill && kept !== events) setKept(events)
  const Icon = isHeld ? Play : Pause
  return (
    <>
      <div className="section-head">
        <h2>{title}</h2>
        <span className="still-note" aria-hidden>
          {isLive && !isHeld && isPointed ? 'frozen while you point' : ''}
        </span>
        {isLive && (
          <button
            type="button"
            className="button button-small"
            aria-pressed={isHeld}
            onClick={() => setHeld(!isHeld)}
          >
            <Icon size={12} aria-hidden /> {isHeld ? 'Frozen' : 'Freeze'}
          </button>
        )}
      </div>
      {kept.length === 0 && <p className="note">{empty}</p>}
      <ol
        className="event-list"
        data-is-still={isStill}
        onPointerEnter={({ pointerType }) => setPointed(pointerType === 'mouse')}
        onPointerLeave={() => setPointed(false)}
        onFocus={() => setPointed(true)}
        onBlur={() => setPointed(false)}
      >
        {kept.map((event) => (
          <EventLine key={event.id} event={event} now={now} aside={aside} />
        ))}
      </ol>
    </>
  )
}
