import { ChevronLeft, ChevronRight } from 'lucide-react'
import type { ReactNode } from 'react'
import type { ListPages } from './use-list.ts'

interface Props {
  readonly pages: ListPages<unknown>
  /** The labels of the buttons, such as newer and older. */
  readonly words: readonly [back: string, on: string]
  /** Shown instead of the page number. */
  readonly note?: string | undefined
}

/** Buttons for the previous and the next page; nothing if there is only one page. */
export function Pager({ pages: { previous, next, pagesBefore }, words, note }: Props): ReactNode {
  if (!previous && !next) return null
  return (
    <nav className="pager" aria-label="Pages">
      <button type="button" className="button button-small" disabled={!previous} onClick={previous}>
        <ChevronLeft size={13} aria-hidden /> {words[0]}
      </button>
      <p className="pager-note" role="status">
        {note ?? `Page ${pagesBefore + 1}`}
      </p>
      <button type="button" className="button button-small" disabled={!next} onClick={next}>
        {words[1]} <ChevronRight size={13} aria-hidden />
      </button>
    </nav>
  )
}
