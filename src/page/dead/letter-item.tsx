import { Pencil, RotateCcw, Trash2 } from 'lucide-react'
import type { ReactNode } from 'react'
import type { DeadLetterEntry } from '../../admin/wire.ts'
import { JsonView } from '../chain/json-view.tsx'
import '../chain/chain.css'
import { ItemError } from '../lists/item-error.tsx'
import { ageText, dateText, dueText, manyText } from '../text/format.ts'
import { showInvisible } from '../text/show-invisible.ts'

export type LetterAction = 'redrive' | 'discard' | 'edit'

interface Props {
  readonly letter: DeadLetterEntry
  readonly now: number
  readonly act: (action: LetterAction, letter: DeadLetterEntry) => void
}

const ACTIONS = [
  { action: 'redrive', name: 'Redrive', Icon: RotateCcw },
  { action: 'edit', name: 'Edit', Icon: Pencil },
  { action: 'discard', name: 'Discard', Icon: Trash2 },
] as const

/** A dead letter: its error, its data, what waits behind it, and what can be done about it. */
export function LetterItem({ letter, now, act }: Props): ReactNode {
  const { consumer, key, event, failedAt, attempts, error, heldBehind } = letter
  const { isSkipped, redriveAt, edit, data } = letter
  const name = `${showInvisible(event.type)} of ${showInvisible(key)}`
  return (
    <li className="item">
      <p className="item-head">
        <strong className="mono">{showInvisible(key)}</strong>
        <a className="link mono" href={`#/event/${encodeURIComponent(event.id)}`}>
          {showInvisible(event.type)}
        </a>
        <span>{showInvisible(consumer)}</span>
        <span className="item-aside" title={dateText(failedAt)}>
          failed {ageText(now - failedAt)} ago
        </span>
      </p>
      <ItemError code={error.code} message={error.message} />
      <p className="item-facts">
        <span>{manyText(attempts, 'attempt')}</span>
        <span>{heldBehind === 0 ? 'nothing' : manyText(heldBehind, 'event')} behind it</span>
        {isSkipped && <span className="dead-warning">later events went on without it</span>}
        {redriveAt !== undefined && <span>redriven {dueText(redriveAt, now)}</span>}
        {edit && (
          <span title={dateText(edit.at)}>
            edited by {showInvisible(edit.by)}
            {edit.reason === '' ? '' : `: ${showInvisible(edit.reason)}`}
          </span>
        )}
      </p>
      <details className="item-more">
        <summary>Data{edit ? ', as edited' : ''}</summary>
        <JsonView value={valueOf(data)} label={`Data of ${name}`} />
      </details>
      {error.stack !== undefined && (
        <details className="item-more">
          <summary>Stack trace</summary>
          <pre
            className="json mono"
            tabIndex={0}
            role="region"
            aria-label={`Stack trace of ${name}`}
          >
            {showInvisible(error.stack)}
          </pre>
        </details>
      )}
      <div className="dead-actions">
        {ACTIONS.map(({ action, name: text, Icon }) => (
          <button
            key={action}
            type="button"
            className="button button-small"
            aria-label={`${text} ${name}`}
            onClick={() => act(action, letter)}
          >
            <Icon size={12} aria-hidden /> {text}…
          </button>
        ))}
      </div>
    </li>
  )
}

/** The data of a letter; the text itself if it is not JSON. */
function valueOf(data: string | null): unknown {
  try {
    return data === null ? null : (JSON.parse(data) as unknown)
  } catch {
    return data
  }
}
