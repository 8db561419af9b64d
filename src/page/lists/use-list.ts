import { useEffect, useState } from 'react'
import type { Listing } from '../../admin/wire.ts'
import type { Asked } from '../live/api.ts'
import { askList } from '../live/api.ts'
import type { Filter } from '../route/route.ts'

export interface ListPages<T> {
  /** The current page. While a page loads, the last one stays. */
  readonly asked: Asked<T>
  /** The number of pages before it. */
  readonly pagesBefore: number
  /** Absent on the first page. */
  readonly back?: () => void
  /** Absent on the last page. */
  readonly on?: () => void
}

/**
 * Fetches a list page by page. The current page is fetched again whenever `refreshCount` changes. For
 * another list or filter, give the component another `key`, so that it starts with the first page.
 */
export function useList<T extends Listing<unknown>>(
  path: string,
  filter: Filter,
  beat: number,
): ListPages<T> {
  const [asked, setAsked] = useState<Asked<T>>({ is: 'loading' })
  /** The cursors of the pages, from the second one on. */
  const [trail, setTrail] = useState<readonly string[]>([])
  const after = trail.at(-1)
  const query = JSON.stringify({ ...filter, ...(after === undefined ? {} : { after }) })
  useEffect(() => {
    let isCurrent = true
    void askList<T>(path, JSON.parse(query) as Filter).then((answer) => {
      if (isCurrent) setAsked(answer)
    })
    return () => {
      isCurrent = false
    }
  }, [path, query, beat])
  const next = asked.is === 'loaded' ? asked.answer.next : undefined
  return {
    asked,
    pagesBefore: trail.length,
    ...(trail.length === 0 ? {} : { back: () => setTrail(trail.slice(0, -1)) }),
    ...(next === undefined || next === after ? {} : { on: () => setTrail([...trail, next]) }),
  }
}

/** A number that changes every few seconds; less often for a filtered list, which costs more. */
export const beatOf = (at: number | undefined, isNarrowed: boolean): number =>
  Math.floor((at ?? 0) / (isNarrowed ? 12_000 : 3_000))
