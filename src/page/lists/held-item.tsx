import type { ReactNode } from 'react'
import type { HeldKey } from '../../admin/wire.ts'
import { ageText, dateText, dueText, manyText } from '../text/format.ts'
import { visible } from '../text/visible.ts'
import './lists.css'

/** A key that is held: where, since when, behind which event, by which error, and until when. */
export function HeldItem({ held, now }: { held: HeldKey; now: number }): ReactNode {
  const { consumer, key, since, count, event, attempts, nextAttemptAt, error } = held
  const rest = count > 1 ? `${manyText(count - 1, 'event')} behind it` : 'nothing behind it'
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
        <span>in front, {rest}</span>
        <span>{attempts === 0 ? 'not tried yet' : manyText(attempts, 'failed attempt')}</span>
        <span>{nextText(nextAttemptAt, now)}</span>
      </p>
      {error?.stack !== undefined && (
        <details className="item-more">
          <summary>Where it was thrown</summary>
          <pre
            className="json mono"
            tabIndex={0}
            role="region"
            aria-label={`Stack of ${visible(key)}`}
          >
            {visible(error.stack)}
          </pre>
        </details>
      )}
    </li>
  )
}

/** What has no rule here is never tried again by itself, which JSON says as no number. */
function nextText(at: number, now: number): string {
  if (!Number.isFinite(at)) return 'not tried again by itself'
  return at > now ? `next try ${dueText(at, now)}` : 'next try now'
}
