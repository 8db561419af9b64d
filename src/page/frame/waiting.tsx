import type { ReactNode } from 'react'
import { Mark } from './mark.tsx'

/** Before the first overview: where everything will be. */
export function Waiting({ isLost }: { isLost: boolean }): ReactNode {
  return (
    <div className="waiting" aria-busy={!isLost}>
      <div className="section waiting-map">
        <Mark width={54} />
        <p>{isLost ? 'Nothing answers here. Is the system running?' : 'Asking what runs…'}</p>
      </div>
      <div className="lower" aria-hidden>
        <div className="section" />
        <div className="section" />
        <div className="section" />
      </div>
    </div>
  )
}
