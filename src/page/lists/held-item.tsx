import type { ReactNode } from 'react'
import type { HeldKey } from '../../admin/wire.ts'
import { ageText, dateText, manyText } from '../text/format.ts'
import { visible } from '../text/visible.ts'
import './lists.css'
import { nextTryText } from './next-try-text.ts'

/** A held key: its consumer, since when, the event that blocks it, the error, the next attempt. */
export function HeldItem({ held, now }: { held: HeldKey; now: number }): ReactNode {
  const { consumer, key, since, count, event, attempts, error } = held
  const rest = count > 1 ? manyText(count - 1, 'event') : 'no events'
  return (
    <li className="item">
      <p className="item-head">
        <strong className="mono">{visible(key)}</strong>
        <span>held at {visible(consumer)}</span>
        <span className="item-aside" title={dateText(since)}>
          for {ageText(now - since)}
        </span>
      </p>
      {error && (
        <p className="item-error">
          {error.code !== undefined && <code>{visible(error.code)}</code>}
          {visible(error.message)}
        </p>
      )}
      <p className="item-facts">
        <a className="link mono" href={`#/event/${encodeURIComponent(event.id)}`}>
          {visible(event.type)}
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
            aria-label={`Stack trace of ${visible(key)}`}
          >
            {visible(error.stack)}
          </pre>
        </details>
      )}
    </li>
  )
}
