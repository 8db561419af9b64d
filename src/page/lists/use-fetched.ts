import { useEffect, useState } from 'react'
import type { RequestState } from '../live/api.ts'
import { fetchFrom } from '../live/api.ts'
import type { Filter } from '../route/route.ts'

/** Fetches an answer, and again whenever `refreshCount` changes; the last answer stays meanwhile. */
export function useFetched<T>(path: string, query: Filter, refreshCount: number): RequestState<T> {
  const [asked, setAsked] = useState<RequestState<T>>({ status: 'loading' })
  const text = JSON.stringify(query)
  useEffect(() => {
    let isCurrent = true
    void fetchFrom<T>(path, JSON.parse(text) as Filter).then((answer) => {
      if (isCurrent) setAsked(answer)
    })
    return () => {
      isCurrent = false
    }
  }, [path, text, refreshCount])
  return asked
}
