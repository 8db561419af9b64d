// The token for writes: taken from the address once, stored for this tab only.
import type { ReactNode } from 'react'
import { createContext, use, useEffect, useMemo, useState } from 'react'
import { tokenOf } from '../route/route.ts'
import { TokenDialog } from './token-dialog.tsx'

const KEPT_AS = 'throughline-token'

export interface Owner {
  readonly token: string | undefined
  /** Opens the dialog; `because` says why the current token was refused. */
  readonly askForToken: (because?: string) => void
}

const OwnerKnown = createContext<Owner>({ token: undefined, askForToken: () => {} })

/** Moves the token from the address into the tab's storage, so that it is not copied by accident. */
export function takeToken(): void {
  const token = tokenOf(location.hash)
  if (token === undefined) return
  sessionStorage.setItem(KEPT_AS, token)
  history.replaceState(null, '', `${location.pathname}${location.search}#/`)
}

export function TokenKept(props: { children: ReactNode }): ReactNode {
  const [token, setToken] = useState(() => sessionStorage.getItem(KEPT_AS) ?? undefined)
  const [asked, setAsked] = useState<{ readonly because?: string }>()
  const owner = useMemo<Owner>(
    () => ({
      token,
      askForToken: (because) => setAsked(because === undefined ? {} : { because }),
    }),
    [token],
  )
  // The user may open an address with a token in a tab that shows the page already.
  useEffect(() => {
    const take = (): void => {
      takeToken()
      setToken(sessionStorage.getItem(KEPT_AS) ?? undefined)
    }
    addEventListener('hashchange', take)
    return () => removeEventListener('hashchange', take)
  }, [])
  const keep = (pasted: string): void => {
    const given = tokenOf(pasted.slice(pasted.indexOf('#'))) ?? pasted
    sessionStorage.setItem(KEPT_AS, given)
    setToken(given)
    setAsked(undefined)
  }
  return (
    <OwnerKnown value={owner}>
      {props.children}
      {asked && (
        <TokenDialog because={asked.because} given={keep} closed={() => setAsked(undefined)} />
      )}
    </OwnerKnown>
  )
}

export function useOwner(): Owner {
  return use(OwnerKnown)
}
