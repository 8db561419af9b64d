import { useEffect, useState } from 'react'
import type { ListPage } from '../../admin/wire.ts'
import type { RequestState } from '../live/api.ts'
import { fetchList } from '../live/api.ts'
import type { Filter } from '../route/route.ts'

export interface ListPages<T> {
  /** The current page. While a page loads, the last one stays. */
  readonly request: RequestState<T>
  /** The number of pages before it. */
  readonly pagesBefore: number
  /** Absent on the first page. */
  readonly previous?: () => void
  /** Absent on the last page. */
  readonly next?: () => void
}

/**
 * Fetches a list page by page. The current page is fetched again whenever `refreshCount` changes. For
 * another list or filter, give the component another `key`, so that it starts with the first page.
 */
export function useList<T extends ListPage<unknown>>(
  path: string,
  filter: Filter,
  refreshCount: number,
): ListPages<T> {
  const [asked, setAsked] = useState<RequestState<T>>({ status: 'loading' })
  /** The cursors of the pages, from the second one on. */
  const [trail, setTrail] = useState<readonly string[]>([])
  const after = trail.at(-1)
  const query = JSON.stringify({ ...filter, ...(after === undefined ? {} : { after }) })
  useEffect(() => {
    let isCurrent = true
    void fetchList<T>(path, JSON.parse(query) as Filter).then((answer) => {
      if (isCurrent) setAsked(answer)
    })
    return () => {
      isCurrent = false
    }
  }, [path, query, refreshCount])
  const next = asked.status === 'loaded' ? asked.answer.next : undefined
  return {
    request: asked,
    pagesBefore: trail.length,
    ...(trail.length === 0 ? {} : { previous: () => setTrail(trail.slice(0, -1)) }),
    ...(next === undefined || next === after ? {} : { next: () => setTrail([...trail, next]) }),
  }
}

/** A number that changes every few seconds; less often for a filtered list, which costs more. */
export const refreshCount = (at: number | undefined, isNarrowed: boolean): number =>
  Math.floor((at ?? 0) / (isNarrowed ? 12_000 : 3_000))
