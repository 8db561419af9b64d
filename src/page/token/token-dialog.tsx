import { KeyRound } from 'lucide-react'
import type { ReactNode, SubmitEvent } from 'react'
import { Dialog } from '../frame/dialog.tsx'
import { formText } from '../frame/form-text.ts'
import './token.css'

interface Props {
  readonly reason: string | undefined
  /** Whether the token is asked for, and not only the name. */
  readonly needsToken: boolean
  /** The last name that was given. */
  readonly by: string
  readonly onGiven: (by: string, token: string | undefined) => void
  readonly onClose: () => void
}

/** Asks for the token and the name that writes need. */
export function TokenDialog({ reason, needsToken, by, onGiven, onClose }: Props): ReactNode {
  const submit = (event: SubmitEvent<HTMLFormElement>): void => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const [name, token] = [formText(form, 'by'), formText(form, 'token')]
    if (name === '' || (needsToken && token === '')) return
    onGiven(name, needsToken ? token : undefined)
  }
  return (
    <Dialog titleId="token-title" onClose={onClose}>
      <form onSubmit={submit}>
        <span className="token-mark" aria-hidden>
          <KeyRound size={18} />
        </span>
        <h2 id="token-title">{needsToken ? 'Enter the token' : 'Enter your name'}</h2>
        {needsToken && (
          <p>
            Changes need the token that the system printed at start, at the end of the page address.
            You can also paste the whole address. The token is stored for this tab only.
          </p>
        )}
        <p>Your name is stored with each change, in the audit trail.</p>
        {reason && (
          <p className="dialog-because" role="alert">
            {reason}
          </p>
        )}
        {needsToken && (
          <>
            <label htmlFor="token-field">Token</label>
            <input
              id="token-field"
              name="token"
              className="field mono"
              autoComplete="off"
              spellCheck={false}
              required
              autoFocus
            />
          </>
        )}
        <label htmlFor="by-field">Your name</label>
        <input
          id="by-field"
          name="by"
          className="field"
          defaultValue={by}
          maxLength={128}
          autoComplete="name"
          spellCheck={false}
          required
          autoFocus={!needsToken}
        />
        <div className="dialog-actions">
          <button type="button" className="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="button button-strong">
            {needsToken ? 'Use token' : 'Continue'}
          </button>
        </div>
      </form>
    </Dialog>
  )
}
