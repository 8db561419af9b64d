// The token for writes: taken from the address once, stored for this tab only.
import type { ReactNode } from 'react'
import { createContext, use, useEffect, useMemo, useState } from 'react'
import { tokenOf } from '../route/route.ts'
import { TokenDialog } from './token-dialog.tsx'

const STORAGE_KEY = 'throughline-token'

export interface OwnerToken {
  readonly token: string | undefined
  /** Opens the dialog; `because` says why the current token was refused. */
  readonly askForToken: (because?: string) => void
}

const OwnerTokenContext = createContext<OwnerToken>({ token: undefined, askForToken: () => {} })

/** Moves the token from the address into the tab's storage, so that it is not copied by accident. */
export function storeTokenFromUrl(): void {
  const token = tokenOf(location.hash)
  if (token === undefined) return
  sessionStorage.setItem(STORAGE_KEY, token)
  history.replaceState(null, '', `${location.pathname}${location.search}#/`)
}

export function OwnerTokenProvider(props: { children: ReactNode }): ReactNode {
  const [token, setToken] = useState(() => sessionStorage.getItem(STORAGE_KEY) ?? undefined)
  const [asked, setAsked] = useState<{ readonly because?: string }>()
  const owner = useMemo<OwnerToken>(
    () => ({
      token,
      askForToken: (because) => setAsked(because === undefined ? {} : { because }),
    }),
    [token],
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
  const keep = (pasted: string): void => {
    const given = tokenOf(pasted.slice(pasted.indexOf('#'))) ?? pasted
    sessionStorage.setItem(STORAGE_KEY, given)
    setToken(given)
    setAsked(undefined)
  }
  return (
    <OwnerTokenContext value={owner}>
      {props.children}
      {asked && (
        <TokenDialog reason={asked.because} onToken={keep} onClose={() => setAsked(undefined)} />
      )}
    </OwnerTokenContext>
  )
}

export function useOwnerToken(): OwnerToken {
  return use(OwnerTokenContext)
}
