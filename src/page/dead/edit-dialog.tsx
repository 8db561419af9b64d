import type { ReactNode, SubmitEvent } from 'react'
import { useState } from 'react'
import type { DeadLetterEntry, ProblemView } from '../../admin/wire.ts'
import { Dialog } from '../frame/dialog.tsx'
import { formText } from '../frame/form-text.ts'
import { showInvisible } from '../text/show-invisible.ts'
import { useWrite } from '../token/use-write.ts'

type Issues = ProblemView['issues']

interface Props {
  readonly letter: DeadLetterEntry
  readonly done: (text: string) => void
  readonly onClose: () => void
}

/** Edits the data of a dead letter, with the issues of its schema beside it. */
export function EditDialog({ letter, done, onClose }: Props): ReactNode {
  const { consumer, event, edit, data } = letter
  const [syntax, setSyntax] = useState<Issues>([])
  const change = useWrite(() => done(`Edited: ${consumer} gets the new data when you redrive it.`))
  const undo = useWrite(() => done(`${consumer} gets the original data.`))
  const place = { consumer, id: event.id }
  const submit = (submitted: SubmitEvent<HTMLFormElement>): void => {
    submitted.preventDefault()
    const form = new FormData(submitted.currentTarget)
    const [text, reason] = [formText(form, 'data'), formText(form, 'reason')]
    const wrong = syntaxIssues(text)
    setSyntax(wrong)
    if (wrong.length > 0) return
    change.send('dead/edit', { ...place, data: text, ...(reason === '' ? {} : { reason }) })
  }
  const failure = change.failure ?? undo.failure
  const issues = syntax.length > 0 ? syntax : (failure?.issues ?? [])
  const summary = syntax.length > 0 ? 'This is not JSON.' : failure?.reason
  return (
    <Dialog titleId="edit-title" isWide onClose={onClose}>
      <form onSubmit={submit}>
        <h2 id="edit-title">Edit the data of {showInvisible(event.type)}</h2>
        <p>
          Only {showInvisible(consumer)} gets the new data; the log keeps the original. The key must
          stay <span className="mono">{showInvisible(letter.key)}</span>.
        </p>
        <div className="edit-columns">
          <DataField data={data} isInvalid={issues.length > 0} />
          <IssueList summary={summary} issues={issues} />
        </div>
        <label htmlFor="edit-reason">Why (optional)</label>
        <input
          id="edit-reason"
          name="reason"
          className="field"
          maxLength={1_000}
          autoComplete="off"
        />
        <div className="dialog-actions">
          {edit && (
            <button
              type="button"
              className="button edit-undo"
              aria-busy={undo.isRunning}
              onClick={() => undo.send('dead/undo-edit', place)}
            >
              Undo the edit
            </button>
          )}
          <button type="button" className="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="button button-strong" aria-busy={change.isRunning}>
            {change.isRunning ? 'Checking…' : 'Save'}
          </button>
        </div>
      </form>
    </Dialog>
  )
}

function DataField({ data, isInvalid }: { data: string | null; isInvalid: boolean }): ReactNode {
  return (
    <div className="edit-column">
      <label htmlFor="edit-data">Data as JSON</label>
      <textarea
        id="edit-data"
        name="data"
        className="field mono edit-data"
        defaultValue={prettyText(data)}
        spellCheck={false}
        aria-invalid={isInvalid}
        aria-describedby="edit-issues"
        autoFocus
      />
    </div>
  )
}

interface IssueListProps {
  readonly summary: string | undefined
  readonly issues: Issues
}

/** What is wrong with the data, field by field. */
function IssueList({ summary, issues }: IssueListProps): ReactNode {
  return (
    <div id="edit-issues" className="edit-column edit-issues" role="status">
      {summary === undefined ? (
        <p>The schema of the message is checked before the data is stored.</p>
      ) : (
        <p className="dialog-because">{summary}</p>
      )}
      {issues.length > 0 && (
        <dl aria-label="Issues" tabIndex={0}>
          {issues.map(({ path, message }, index) => (
            <div key={index}>
              <dt className="mono">{showInvisible(path) || 'the whole data'}</dt>
              <dd>{showInvisible(message)}</dd>
            </div>
          ))}
        </dl>
      )}
    </div>
  )
}

function syntaxIssues(text: string): Issues {
  try {
    JSON.parse(text)
    return []
  } catch (cause) {
    return [{ path: '', message: (cause as Error).message }]
  }
}

function prettyText(data: string | null): string {
  try {
    return JSON.stringify(data === null ? null : JSON.parse(data), undefined, 2)
  } catch {
    return data ?? ''
  }
}
