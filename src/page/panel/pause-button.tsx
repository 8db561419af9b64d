import { Pause, Play } from 'lucide-react'
import type { ReactNode } from 'react'
import { useState } from 'react'
import type { ServiceView } from '../../admin/wire.ts'
import type { Credentials } from '../live/api.ts'
import { setPaused } from '../live/api.ts'
import { useOwnerToken } from '../token/owner-token.tsx'

/** Pauses or resumes a service. Without a token, opens the token dialog. */
export function PauseButton({ service }: { service: ServiceView }): ReactNode {
  const { credentials, askForToken } = useOwnerToken()
  /** The requested state, until an overview shows it. */
  const [requested, setWanted] = useState<boolean>()
  const [failure, setComplaint] = useState('')
  const { name, isPaused } = service
  const isUnderway = requested !== undefined && requested !== isPaused
  const act = async (known = credentials): Promise<void> => {
    const next = (asked: Credentials): void => void act(asked)
    if (!known) return askForToken({ next })
    if (isUnderway) return
    setComplaint('')
    setWanted(!isPaused)
    const answer = await setPaused(name, !isPaused, known)
    if (answer.status !== 'failed') return
    setWanted(undefined)
    if (answer.httpStatus === 401 || answer.httpStatus === 403)
      askForToken({ because: `${answer.reason}.`, next })
    else setComplaint(answer.reason)
  }
  const Icon = isPaused ? Play : Pause
  const word = isPaused ? 'Resume' : 'Pause'
  return (
    <>
      {failure && (
        <p className="pause-complaint" role="alert">
          {failure}
        </p>
      )}
      <button
        type="button"
        className={isPaused ? 'button button-strong' : 'button'}
        aria-label={`${word} ${name}`}
        aria-busy={isUnderway}
        title={credentials ? undefined : 'Needs the token and your name'}
        onClick={() => void act()}
      >
        <Icon size={14} aria-hidden />
        {isUnderway ? `${isPaused ? 'Resuming' : 'Pausing'}…` : word}
      </button>
    </>
  )
}
