import { ArrowLeft, RotateCcw, Trash2 } from 'lucide-react'
import type { ReactNode } from 'react'
import { useEffect, useRef, useState } from 'react'
import type { DeadLetterCause, DeadLetterEntry, ListPage } from '../../admin/wire.ts'
import { ItemError } from '../lists/item-error.tsx'
import { Pager } from '../lists/pager.tsx'
import { useFetched } from '../lists/use-fetched.ts'
import { refreshCount, useList } from '../lists/use-list.ts'
import { useLive } from '../live/live-provider.tsx'
import { FailureNote } from '../panel/failure-note.tsx'
import type { Filter } from '../route/route.ts'
import { fragmentOf } from '../route/route.ts'
import { countText, manyText } from '../text/format.ts'
import { showInvisible } from '../text/show-invisible.ts'
import { EditDialog } from './edit-dialog.tsx'
import type { LetterAction } from './letter-item.tsx'
import { LetterItem } from './letter-item.tsx'
import { ResolveDialog } from './resolve-dialog.tsx'

/** What the user has opened: a dialog for some letters. */
type Opened =
  | { readonly kind: 'redrive' | 'discard'; readonly filter: Filter }
  | { readonly kind: 'edit'; readonly letter: DeadLetterEntry }

const PAGE = '25'

/** The dead letters that a filter selects, with what can be done about them. */
export function LettersOfCause({ filter }: { filter: Filter }): ReactNode {
  const { overview } = useLive()
  const now = overview?.at ?? 0
  const [opened, setOpened] = useState<Opened>()
  const [done, setDone] = useState({ count: 0, text: '' })
  const refresh = refreshCount(overview?.at, true) + done.count * 1e9
  const pages = useList<ListPage<DeadLetterEntry>>('dead', { ...filter, limit: PAGE }, refresh)
  const causes = useFetched<readonly DeadLetterCause[]>('dead/causes', filter, refresh)
  const finish = (text: string): void => {
    setOpened(undefined)
    setDone(({ count }) => ({ count: count + 1, text }))
  }
  const act = (kind: LetterAction, letter: DeadLetterEntry): void => {
    const { consumer, event } = letter
    if (kind === 'edit') setOpened({ kind, letter })
    else setOpened({ kind, filter: { consumer, id: event.id } })
  }
  const { request } = pages
  return (
    <>
      <CauseHead causes={causes.status === 'loaded' ? causes.answer : []} />
      <DoneNote done={done} />
      {request.status === 'loading' && <p className="note">Loading…</p>}
      {request.status === 'failed' && <FailureNote refused={request} />}
      {request.status === 'loaded' && (
        <section aria-label="Letters">
          {request.answer.items.length === 0 && <p className="note">No dead letters match.</p>}
          {request.answer.items.length > 0 && (
            <div className="dead-actions" role="group" aria-label="All of these">
              <button
                type="button"
                className="button"
                onClick={() => setOpened({ kind: 'redrive', filter })}
              >
                <RotateCcw size={13} aria-hidden /> Redrive all…
              </button>
              <button
                type="button"
                className="button"
                onClick={() => setOpened({ kind: 'discard', filter })}
              >
                <Trash2 size={13} aria-hidden /> Discard all…
              </button>
            </div>
          )}
          <ol className="items">
            {request.answer.items.map((letter) => (
              <LetterItem
                key={`${letter.consumer} ${letter.event.id}`}
                letter={letter}
                now={now}
                act={act}
              />
            ))}
          </ol>
          <Pager pages={pages} words={['Back', 'More']} />
        </section>
      )}
      {opened?.kind === 'edit' && (
        <EditDialog letter={opened.letter} done={finish} onClose={() => setOpened(undefined)} />
      )}
      {opened && opened.kind !== 'edit' && (
        <ResolveDialog {...opened} done={finish} onClose={() => setOpened(undefined)} />
      )}
    </>
  )
}

/** The cause of the letters, if there is one, and the way back to all causes. */
function CauseHead({ causes }: { causes: readonly DeadLetterCause[] }): ReactNode {
  const [first] = causes
  const count = causes.reduce((sum, each) => sum + each.count, 0)
  return (
    <div className="dead-head">
      <a className="link dead-back" href={fragmentOf({ kind: 'list', name: 'dead', filter: {} })}>
        <ArrowLeft size={13} aria-hidden /> All causes
      </a>
      {first && (
        <>
          <h3>
            {manyText(count, 'dead letter')}
            {causes.length === 1 ? ` at ${showInvisible(first.consumer)}` : ''}
          </h3>
          {causes.length === 1 ? (
            <ItemError code={first.code} message={first.message} />
          ) : (
            <p className="list-about">{countText(causes.length)} causes</p>
          )}
        </>
      )}
    </div>
  )
}

/** What was done last. Takes the focus, since the button that was used may be gone. */
function DoneNote({ done: { count, text } }: { done: { count: number; text: string } }): ReactNode {
  const note = useRef<HTMLParagraphElement>(null)
  useEffect(() => {
    if (count > 0) note.current?.focus()
  }, [count])
  return (
    <p className="dead-done" role="status" tabIndex={-1} ref={note} hidden={text === ''}>
      {text}
    </p>
  )
}
