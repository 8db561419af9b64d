import { KeyRound } from 'lucide-react'
import type { ReactNode, SubmitEvent } from 'react'
import { useEffect, useRef } from 'react'
import './token.css'

interface Props {
  readonly reason: string | undefined
  readonly onToken: (token: string) => void
  readonly onClose: () => void
}

export function TokenDialog({ reason, onToken, onClose }: Props): ReactNode {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    const opener = document.activeElement
    dialog.current?.showModal()
    return () => {
      if (opener instanceof HTMLElement) opener.focus()
    }
  }, [])
  const submit = (event: SubmitEvent<HTMLFormElement>): void => {
    event.preventDefault()
    const token = new FormData(event.currentTarget).get('token')
    if (typeof token === 'string' && token.trim() !== '') onToken(token.trim())
  }
  return (
    <dialog ref={dialog} className="token" aria-labelledby="token-title" onClose={onClose}>
      <form onSubmit={submit}>
        <span className="token-mark" aria-hidden>
          <KeyRound size={18} />
        </span>
        <h2 id="token-title">Enter the token</h2>
        <p>
          Pausing a service needs the token that the system printed at start, at the end of the page
          address. You can also paste the whole address. The token is stored for this tab only.
        </p>
        {reason && (
          <p className="token-because" role="alert">
            {reason}
          </p>
        )}
        <label htmlFor="token-field">Token</label>
        <input
          id="token-field"
          name="token"
          className="field mono"
          autoComplete="off"
          spellCheck={false}
          autoFocus
        />
        <div className="token-actions">
          <button type="button" className="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="button button-strong">
            Use token
          </button>
        </div>
      </form>
    </dialog>
  )
}
