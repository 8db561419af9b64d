import type { ReactNode } from 'react'
import { useSyncExternalStore } from 'react'
import { HISTORY_MS, PAST_MS } from '../live/history.ts'

/** How far back the charts go. The words below an axis stand at its start and at its middle. */
export const SPANS = {
  minutes: { ms: HISTORY_MS, name: '2 min', spoken: 'two minutes', ago: ['2 min ago', '1 min'] },
  hour: { ms: PAST_MS, name: '1 h', spoken: 'an hour', ago: ['1 h ago', '30 min'] },
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

/** The span of every chart. */
export function useSpan(): SpanName {
  return useSyncExternalStore(subscribe, spanNow)
}

export function SpanSwitch(): ReactNode {
  const span = useSpan()
  return (
    <div className="switch" role="group" aria-label="How far back the charts go">
      {(Object.keys(SPANS) as SpanName[]).map((name) => (
        <button key={name} type="button" aria-pressed={name === span} onClick={() => choose(name)}>
          {SPANS[name].name}
        </button>
      ))}
    </div>
  )
}
