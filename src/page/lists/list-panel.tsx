import type { ReactNode } from 'react'
import type { ListPage } from '../../admin/wire.ts'
import { useLive } from '../live/live-provider.tsx'
import { Panel } from '../panel/panel.tsx'
import { FailureNote } from '../panel/failure-note.tsx'
import type { Filter, ListName } from '../route/route.ts'
import { navigate } from '../route/use-route.ts'
import type { FilterField } from './filter-form.tsx'
import { FilterForm } from './filter-form.tsx'
import './lists.css'
import { Pager } from './pager.tsx'
import { refreshCount, useList } from './use-list.ts'

interface Props<T> {
  readonly name: ListName
  readonly title: string
  /** A sentence about the content of the list. */
  readonly about: string
  readonly empty: string
  readonly fields: readonly FilterField[]
  readonly filter: Filter
  /** The labels of the pager, such as newer and older. */
  readonly words: readonly [back: string, on: string]
  readonly item: (item: T, now: number) => ReactNode
}

/** A list beside the map, with pages and a filter, which is part of the address. Updates itself. */
export function ListPanel<T>(props: Props<T>): ReactNode {
  const { name, title, about, fields, filter } = props
  return (
    <Panel kind="List" title={title} isWide>
      <p className="list-about">{about}</p>
      <FilterForm
        fields={fields}
        filter={filter}
        changed={(changed) => navigate({ kind: 'list', name, filter: changed })}
      />
      <Items key={JSON.stringify(filter)} {...props} />
    </Panel>
  )
}

function Items<T>({ name, title, empty, filter, words, item }: Props<T>): ReactNode {
  const { overview } = useLive()
  const now = overview?.at ?? 0
  const pages = useList<ListPage<T>>(
    name,
    filter,
    refreshCount(overview?.at, Object.keys(filter).length > 0),
  )
  const { request } = pages
  if (request.status === 'loading') return <p className="note">Loading…</p>
  if (request.status === 'failed') return <FailureNote refused={request} />
  const { items } = request.answer
  const isSearching = items.length === 0 && pages.next !== undefined
  return (
    <section aria-label={title}>
      {items.length === 0 && <p className="note">{isSearching ? 'No matches so far.' : empty}</p>}
      <ol className="items">{items.map((each) => item(each, now))}</ol>
      <Pager pages={pages} words={words} />
    </section>
  )
}
