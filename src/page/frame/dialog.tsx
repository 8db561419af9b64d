import type { ReactNode } from 'react'
import { useEffect, useRef } from 'react'
import './dialog.css'

interface Props {
  /** The id of the heading. */
  readonly titleId: string
  readonly isWide?: boolean
  readonly onClose: () => void
  readonly children: ReactNode
}

/** A modal dialog. Esc closes it; the focus returns to the element that opened it. */
export function Dialog({ titleId, isWide = false, onClose, children }: Props): ReactNode {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    const opener = document.activeElement
    dialog.current?.showModal()
    return () => {
      if (opener instanceof HTMLElement) opener.focus()
    }
  }, [])
  return (
    <dialog
      ref={dialog}
      className="dialog"
      data-is-wide={isWide}
      aria-labelledby={titleId}
      onClose={onClose}
    >
      {children}
    </dialog>
  )
}
