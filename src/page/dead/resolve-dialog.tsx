import type { ReactNode, SubmitEvent } from 'react'
import type { RedrivePreview, RedriveProgress } from '../../admin/wire.ts'
import { Dialog } from '../frame/dialog.tsx'
import { formText } from '../frame/form-text.ts'
import { useFetched } from '../lists/use-fetched.ts'
import { FailureNote } from '../panel/failure-note.tsx'
import type { Filter } from '../route/route.ts'
import { countText, manyText } from '../text/format.ts'
import { showInvisible } from '../text/show-invisible.ts'
import { useWrite } from '../token/use-write.ts'

interface Props {
  readonly kind: 'redrive' | 'discard'
  /** Which dead letters. */
  readonly filter: Filter
  readonly done: (text: string) => void
  readonly onClose: () => void
}

const WORDS = {
  redrive: {
    name: 'Redrive',
    done: 'Redriven',
    one: 'It goes back to work in its place, and its key continues where it stopped.',
    many: 'They go back to work in their places, and each key continues where it stopped.',
  },
  discard: {
    name: 'Discard',
    done: 'Discarded',
    one: 'It is given up for good: its consumer never handles it, and what waits behind it goes on.',
    many: 'They are given up for good: no consumer handles them, and what waits behind them goes on.',
  },
} as const

/** Shows what a redrive or a discard would do, and does it. */
export function ResolveDialog({ kind, filter, done, onClose }: Props): ReactNode {
  const preview = useFetched<RedrivePreview>('dead/preview', filter, 0)
  const words = WORDS[kind]
  const { send, isRunning, failure } = useWrite((answer) =>
    done(`${words.done}: ${doneText(answer as RedriveProgress)}`),
  )
  const submit = (event: SubmitEvent<HTMLFormElement>): void => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const reason = formText(form, 'reason')
    const perSecond = Number(formText(form, 'perSecond'))
    send(`dead/${kind}`, {
      ...selectionOf(filter),
      ...(reason === '' ? {} : { reason }),
      ...(perSecond > 0 ? { perSecond } : {}),
    })
  }
  const letters = preview.status === 'loaded' ? preview.answer.letters : 0
  const isDiscard = kind === 'discard'
  return (
    <Dialog titleId="resolve-title" onClose={onClose}>
      <form onSubmit={submit}>
        <h2 id="resolve-title">
          {words.name} {letters === 1 ? 'a dead letter' : 'dead letters'}
        </h2>
        <p>{letters === 1 ? words.one : words.many}</p>
        {preview.status === 'loading' && <p className="note">Loading…</p>}
        {preview.status === 'failed' && <FailureNote refused={preview} />}
        {preview.status === 'loaded' && <Preview preview={preview.answer} isDiscard={isDiscard} />}
        <Fields isDiscard={isDiscard} isMany={letters > 1} />
        {failure && <FailureNote refused={failure} />}
        <div className="dialog-actions">
          <button type="button" className="button" onClick={onClose}>
            Cancel
          </button>
          <button
            type="submit"
            className="button button-strong"
            aria-busy={isRunning}
            disabled={letters === 0}
          >
            {isRunning ? 'Working…' : `${words.name} ${countText(letters)}`}
          </button>
        </div>
      </form>
    </Dialog>
  )
}

function Fields({ isDiscard, isMany }: { isDiscard: boolean; isMany: boolean }): ReactNode {
  return (
    <>
      <label htmlFor="resolve-reason">{isDiscard ? 'Why' : 'Why (optional)'}</label>
      <input
        id="resolve-reason"
        name="reason"
        className="field"
        maxLength={1_000}
        autoComplete="off"
        required={isDiscard}
        pattern={isDiscard ? '.*\\S.*' : undefined}
        autoFocus
      />
      {isMany && (
        <>
          <label htmlFor="resolve-rate">At most per second (optional)</label>
          <input
            id="resolve-rate"
            name="perSecond"
            className="field"
            type="number"
            min={1}
            max={1_000_000}
          />
        </>
      )}
    </>
  )
}

function doneText({ done, skipped }: RedriveProgress): string {
  const text = `${manyText(done, 'dead letter')}.`
  return skipped === 0 ? text : `${text} ${countText(skipped)} had been resolved meanwhile.`
}

/** The filter as arguments of the API, where times are numbers. */
const selectionOf = (filter: Filter): object =>
  Object.fromEntries(
    Object.entries(filter).map(([name, value]) => [
      name,
      name === 'since' || name === 'until' ? Number(value) : value,
    ]),
  )

interface PreviewProps {
  readonly preview: RedrivePreview
  readonly isDiscard: boolean
}

function Preview({ preview, isDiscard }: PreviewProps): ReactNode {
  const { letters, keys, heldBehind, outOfOrder, effectsRepeated } = preview
  const more = letters - keys.length
  return (
    <>
      <dl className="facts dead-facts">
        <div>
          <dt>Dead letters</dt>
          <dd>{countText(letters)}</dd>
        </div>
        <div>
          <dt>Events behind them</dt>
          <dd>{countText(heldBehind)}</dd>
        </div>
        {!isDiscard && (
          <>
            <div>
              <dt>Out of order</dt>
              <dd data-tone={outOfOrder > 0 ? 'warn' : 'none'}>{countText(outOfOrder)}</dd>
            </div>
            <div>
              <dt>Effects repeated</dt>
              <dd data-tone={effectsRepeated > 0 ? 'warn' : 'none'}>
                {countText(effectsRepeated)}
              </dd>
            </div>
          </>
        )}
      </dl>
      {!isDiscard && outOfOrder > 0 && (
        <p>Out of order: later events of their keys have gone on without them.</p>
      )}
      {!isDiscard && effectsRepeated > 0 && (
        <p>Handlers attempt their effects again, with the same effect keys.</p>
      )}
      {keys.length > 0 && (
        <ul className="dead-keys" aria-label="Keys" tabIndex={0}>
          {keys.map(({ consumer, key }, index) => (
            <li key={index}>
              <span className="mono">{showInvisible(key)}</span> at {showInvisible(consumer)}
            </li>
          ))}
          {more > 0 && <li>and {countText(more)} more</li>}
        </ul>
      )}
    </>
  )
}
