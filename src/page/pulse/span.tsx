import type { ReactNode } from 'react'
import { useSyncExternalStore } from 'react'
import { HISTORY_MS, PAST_MS } from '../live/history.ts'

/** The time ranges of the charts. `ago` labels the start and the middle of the axis. */
export const SPANS = {
  minutes: {
    ms: HISTORY_MS,
    name: '2 min',
    spoken: 'last two minutes',
    ago: ['2 min ago', '1 min'],
  },
  hour: { ms: PAST_MS, name: '1 h', spoken: 'last hour', ago: ['1 h ago', '30 min'] },
} as const

export type SpanName = keyof typeof SPANS

const KEPT_AS = 'throughline-span'
const listeners = new Set<() => void>()

const spanNow = (): SpanName => (sessionStorage.getItem(KEPT_AS) === 'hour' ? 'hour' : 'minutes')

function choose(span: SpanName): void {
  sessionStorage.setItem(KEPT_AS, span)
  for (const listener of listeners) listener()
}

function subscribe(changed: () => void): () => void {
  listeners.add(changed)
  return () => listeners.delete(changed)
}

/** The current time range, shared by all charts. */
export function useSpan(): SpanName {
  return useSyncExternalStore(subscribe, spanNow)
}

export function SpanSwitch(): ReactNode {
  const span = useSpan()
  return (
    <div className="switch" role="group" aria-label="Time range of the charts">
      {(Object.keys(SPANS) as SpanName[]).map((name) => (
        <button key={name} type="button" aria-pressed={name === span} onClick={() => choose(name)}>
          {SPANS[name].name}
        </button>
      ))}
    </div>
  )
}
