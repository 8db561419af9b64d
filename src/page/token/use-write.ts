import { useState } from 'react'
import type { Credentials, RequestFailure } from '../live/api.ts'
import { postTo } from '../live/api.ts'
import { useOwnerToken } from './owner-token.tsx'

export interface Write {
  /** Sends the write, or asks for the token and the name first. Calls `done` with the answer. */
  readonly send: (path: string, given: object) => void
  readonly isRunning: boolean
  readonly failure: RequestFailure | undefined
}

/** A write to the admin API from a dialog. */
export function useWrite(done: (answer: unknown) => void): Write {
  const { credentials, askForToken } = useOwnerToken()
  const [isRunning, setIsRunning] = useState(false)
  const [failure, setFailure] = useState<RequestFailure>()
  const send = async (path: string, given: object, known = credentials): Promise<void> => {
    const next = (asked: Credentials): void => void send(path, given, asked)
    if (!known) return askForToken({ next })
    if (isRunning) return
    setIsRunning(true)
    setFailure(undefined)
    const answer = await postTo<unknown>(path, given, known)
    setIsRunning(false)
    if (answer.status === 'loaded') done(answer.answer)
    if (answer.status !== 'failed') return
    if (answer.httpStatus === 401 || answer.httpStatus === 403)
      askForToken({ because: `${answer.reason}.`, next })
    else setFailure(answer)
  }
  return { send: (path, given) => void send(path, given), isRunning, failure }
}
