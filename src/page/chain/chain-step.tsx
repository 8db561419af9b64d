import { ChevronRight } from 'lucide-react'
import type { CSSProperties, ReactNode } from 'react'
import { useEffect, useRef, useState } from 'react'
import { durationText } from '../text/format.ts'
import { StepConsumers } from '../ledger/step-consumers.tsx'
import { showInvisible } from '../text/show-invisible.ts'
import { JsonView } from './json-view.tsx'
import { RailLines } from './rail.tsx'
import type { ChainRow } from './tree.ts'

interface Props {
  readonly row: ChainRow
  readonly lanes: number
  readonly totalMs: number
  readonly isAskedFor: boolean
}

export function ChainStep({ row, lanes, totalMs, isAskedFor }: Props): ReactNode {
  const { event, cause, rail } = row
  const [isOpen, setOpen] = useState(false)
  const line = useRef<HTMLLIElement>(null)
  useEffect(() => {
    if (isAskedFor) line.current?.scrollIntoView({ block: 'nearest' })
  }, [isAskedFor])
  const source = event.source === 'door' ? 'from outside' : showInvisible(event.source)
  return (
    <li
      ref={line}
      className="step"
      data-kind={event.kind}
      data-carries={event.topic.split('.').at(-1)}
      aria-current={isAskedFor ? 'true' : undefined}
    >
      <RailLines rail={rail} lanes={lanes} />
      <div className="step-main">
        <button
          type="button"
          className="step-head"
          aria-expanded={isOpen}
          onClick={() => setOpen(!isOpen)}
        >
          <span className="step-words">
            <span className="step-type">{showInvisible(event.type)}</span>
            <span className="step-by">
              {source}
              {event.rule && <span> · {showInvisible(event.rule)}</span>}
            </span>
            {cause && <span className="only-spoken">, caused by {showInvisible(cause.type)}</span>}
          </span>
          <StepTiming row={row} totalMs={totalMs} />
          <ChevronRight className="step-open" size={14} aria-hidden />
        </button>
        <StepConsumers event={event} />
        {isOpen && <Details row={row} />}
      </div>
    </li>
  )
}

/** The time of a step, on the scale of the whole conversation. */
function StepTiming({
  row: { fromMs, toMs, cause },
  totalMs,
}: {
  row: ChainRow
  totalMs: number
}): ReactNode {
  const share = (ms: number): number => (totalMs === 0 ? 0 : ms / totalMs)
  const place = { '--from': share(fromMs), '--to': share(toMs) } as CSSProperties
  return (
    <>
      <span className="fall" style={place} aria-hidden>
        <span />
      </span>
      <span className="step-at">{cause || toMs > 0 ? `+${durationText(toMs)}` : 'start'}</span>
    </>
  )
}

function Details({ row: { event } }: { row: ChainRow }): ReactNode {
  const facts = [
    ['id', showInvisible(event.id)],
    ['key', showInvisible(event.key)],
    ['topic', `${event.topic} · ${event.partition} at ${event.offset}`],
  ] as const
  return (
    <div className="step-details">
      <dl>
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd className="mono">{value}</dd>
          </div>
        ))}
      </dl>
      <JsonView value={event.data} label={`Data of ${showInvisible(event.type)}`} />
    </div>
  )
}
