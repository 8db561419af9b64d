import type { ReactNode } from 'react'
import type { HeldKey } from '../../admin/wire.ts'
import { fragmentOf } from '../route/route.ts'
import { ageText, dateText, manyText } from '../text/format.ts'
import { showInvisible } from '../text/show-invisible.ts'
import { ItemError } from './item-error.tsx'
import './lists.css'
import { nextTryText } from './next-try-text.ts'

/** A held key: its consumer, since when, the event that blocks it, the error, the next attempt. */
export function HeldItem({ held, now }: { held: HeldKey; now: number }): ReactNode {
  const { consumer, key, since, count, event, attempts, error } = held
  const rest = count > 1 ? manyText(count - 1, 'event') : 'no events'
  return (
    <li className="item">
      <p className="item-head">
        <strong className="mono">{showInvisible(key)}</strong>
        <span>held at {showInvisible(consumer)}</span>
        <HeldStatus held={held} />
        <span className="item-aside" title={dateText(since)}>
          for {ageText(now - since)}
        </span>
      </p>
      {error && <ItemError code={error.code} message={error.message} />}
      <p className="item-facts">
        <a className="link mono" href={`#/event/${encodeURIComponent(event.id)}`}>
          {showInvisible(event.type)}
        </a>
        <span>first, {rest} behind it</span>
        <span>{attempts === 0 ? 'not tried yet' : manyText(attempts, 'failed attempt')}</span>
        <span>{nextTryText(held, now)}</span>
      </p>
      {error?.stack !== undefined && (
        <details className="item-more">
          <summary>Stack trace</summary>
          <pre
            className="json mono"
            tabIndex={0}
            role="region"
            aria-label={`Stack trace of ${showInvisible(key)}`}
          >
            {showInvisible(error.stack)}
          </pre>
        </details>
      )}
    </li>
  )
}

/** The status of the event in front; a dead letter leads to where it can be redriven. */
function HeldStatus({ held: { status, consumer, key } }: { held: HeldKey }): ReactNode {
  const text = status.toLowerCase().replace('_', ' ')
  if (status !== 'FAILED')
    return (
      <span className="state" data-kind="pending">
        {text}
      </span>
    )
  const href = fragmentOf({ kind: 'list', name: 'dead', filter: { consumer, key } })
  return (
    <a className="state link" data-kind="failed" href={href}>
      {text}
    </a>
  )
}
