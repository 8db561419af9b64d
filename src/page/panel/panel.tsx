import { X } from 'lucide-react'
import type { ReactNode } from 'react'
import { useEffect, useRef } from 'react'
import { showInvisible } from '../text/show-invisible.ts'

interface Props {
  readonly kind: string
  readonly title: string
  readonly isWide?: boolean
  /** Shown beside the title. */
  readonly aside?: ReactNode
  readonly children: ReactNode
}

/** The frame of all panels beside the map. */
export function Panel({ kind, title, isWide, aside, children }: Props): ReactNode {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => heading.current?.focus({ preventScroll: true }), [])
  return (
    <aside
      className="panel"
      data-is-wide={isWide === true}
      aria-label={`${kind} ${showInvisible(title)}`}
    >
      <header className="panel-head">
        <div>
          <p className="panel-kind">{kind}</p>
          <h2 ref={heading} tabIndex={-1}>
            {showInvisible(title)}
          </h2>
        </div>
        {aside}
        <a className="icon-button" href="#/" aria-label="Close" title="Close (Esc)">
          <X size={16} aria-hidden />
        </a>
      </header>
      <div className="panel-body">{children}</div>
    </aside>
  )
}
