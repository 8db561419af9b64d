import { useEffect, useState } from 'react'
import type { Listing } from '../../admin/wire.ts'
import type { Asked } from '../live/api.ts'
import { askList } from '../live/api.ts'
import type { Filter } from '../route/route.ts'

export interface ListPages<T> {
  /** The page that is shown; while the next one is asked for, the one before. */
  readonly asked: Asked<T>
  /** How many pages lie before it. */
  readonly pagesBefore: number
  /** Absent on the first page. */
  readonly back?: () => void
  /** Absent on the last page. */
  readonly on?: () => void
}

/**
 * A list page by page. The page in sight is asked for again whenever `beat` changes. Of another list
 * or filter it begins anew only where its component does: give that a key.
 */
export function useList<T extends Listing<unknown>>(
  path: string,
  filter: Filter,
  beat: number,
): ListPages<T> {
  const [asked, setAsked] = useState<Asked<T>>({ is: 'asking' })
  /** Where each page begins, from the second one on. */
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
  const next = asked.is === 'answered' ? asked.answer.next : undefined
  return {
    asked,
    pagesBefore: trail.length,
    ...(trail.length === 0 ? {} : { back: () => setTrail(trail.slice(0, -1)) }),
    ...(next === undefined || next === after ? {} : { on: () => setTrail([...trail, next]) }),
  }
}

/** A number that changes every few seconds of the system's time; a search costs more than a look. */
export const beatOf = (at: number | undefined, isNarrowed: boolean): number =>
  Math.floor((at ?? 0) / (isNarrowed ? 12_000 : 3_000))
