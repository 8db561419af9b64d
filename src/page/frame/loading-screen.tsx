import type { ReactNode } from 'react'
import { Logo } from './logo.tsx'

/** Shown until the first overview arrives. */
export function LoadingScreen({ isLost }: { isLost: boolean }): ReactNode {
  return (
    <div className="waiting" aria-busy={!isLost}>
      <div className="section waiting-map">
        <Logo width={54} />
        <p>{isLost ? 'The system does not answer. Is it running?' : 'Loading…'}</p>
      </div>
      <div className="lower" aria-hidden>
        <div className="section" />
        <div className="section" />
        <div className="section" />
      </div>
    </div>
  )
}
