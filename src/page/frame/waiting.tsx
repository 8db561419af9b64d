import type { ReactNode } from 'react'
import { Mark } from './mark.tsx'

/** Shown until the first overview arrives. */
export function Waiting({ isLost }: { isLost: boolean }): ReactNode {
  return (
    <div className="waiting" aria-busy={!isLost}>
      <div className="section waiting-map">
        <Mark width={54} />
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
