import { ChevronLeft, ChevronRight } from 'lucide-react'
import type { ReactNode } from 'react'
import type { ListPages } from './use-list.ts'

interface Props {
  readonly pages: ListPages<unknown>
  /** What lies before and after, such as newer and older. */
  readonly words: readonly [back: string, on: string]
  /** There may be more, although this page has few. */
  readonly note?: string | undefined
}

/** Back and on, where there is anywhere to go. */
export function Pager({ pages: { back, on, pagesBefore }, words, note }: Props): ReactNode {
  if (!back && !on) return null
  return (
    <nav className="pager" aria-label="Pages">
      <button type="button" className="button button-small" disabled={!back} onClick={back}>
        <ChevronLeft size={13} aria-hidden /> {words[0]}
      </button>
      <p className="pager-note" role="status">
        {note ?? `Page ${pagesBefore + 1}`}
      </p>
      <button type="button" className="button button-small" disabled={!on} onClick={on}>
        {words[1]} <ChevronRight size={13} aria-hidden />
      </button>
    </nav>
  )
}
