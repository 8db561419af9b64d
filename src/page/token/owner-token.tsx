// What writes need: the token, taken from the address once and stored for this tab only, and the name of
// the user, stored in this browser.
import type { ReactNode } from 'react'
import { createContext, use, useEffect, useMemo, useState } from 'react'
import type { Credentials } from '../live/api.ts'
import { tokenOf } from '../route/route.ts'
import { TokenDialog } from './token-dialog.tsx'

const STORAGE_KEY = 'throughline-token'
const NAME_KEY = 'throughline-by'

export interface Asked {
  /** Why the current token was refused. */
  readonly because?: string
  readonly next: (credentials: Credentials) => void
}

export interface OwnerToken {
  /** Absent until both are known. */
  readonly credentials: Credentials | undefined
  /** Opens the dialog, and goes on with `next` once both are given. */
  readonly askForToken: (asked: Asked) => void
}

const OwnerTokenContext = createContext<OwnerToken>({
  credentials: undefined,
  askForToken: () => {},
})

/** Moves the token from the address into the tab's storage, so that it is not copied by accident. */
export function storeTokenFromUrl(): void {
  const token = tokenOf(location.hash)
  if (token === undefined) return
  sessionStorage.setItem(STORAGE_KEY, token)
  history.replaceState(null, '', `${location.pathname}${location.search}#/`)
}

export function OwnerTokenProvider(props: { children: ReactNode }): ReactNode {
  const [token, setToken] = useState(() => sessionStorage.getItem(STORAGE_KEY) ?? undefined)
  const [by, setBy] = useState(() => localStorage.getItem(NAME_KEY) ?? '')
  const [asked, setAsked] = useState<Asked>()
  const owner = useMemo<OwnerToken>(
    () => ({
      credentials: token === undefined || by === '' ? undefined : { token, by },
      askForToken: setAsked,
    }),
    [token, by],
  )
  // The user may open an address with a token in a tab that shows the page already.
  useEffect(() => {
    const take = (): void => {
      storeTokenFromUrl()
      setToken(sessionStorage.getItem(STORAGE_KEY) ?? undefined)
    }
    addEventListener('hashchange', take)
    return () => removeEventListener('hashchange', take)
  }, [])
  const keep = (name: string, pasted: string | undefined): void => {
    localStorage.setItem(NAME_KEY, name)
    setBy(name)
    setAsked(undefined)
    const given =
      pasted === undefined ? token : (tokenOf(pasted.slice(pasted.indexOf('#'))) ?? pasted)
    if (given === undefined) return
    sessionStorage.setItem(STORAGE_KEY, given)
    setToken(given)
    asked?.next({ token: given, by: name })
  }
  return (
    <OwnerTokenContext value={owner}>
      {props.children}
      {asked && (
        <TokenDialog
          reason={asked.because}
          needsToken={token === undefined || asked.because !== undefined}
          by={by}
          onGiven={keep}
          onClose={() => setAsked(undefined)}
        />
      )}
    </OwnerTokenContext>
  )
}

export function useOwnerToken(): OwnerToken {
  return use(OwnerTokenContext)
}
