import type { ReactNode } from 'react'
import { useSyncExternalStore } from 'react'
import { HISTORY_MS, SERVER_HISTORY_MS } from '../live/history.ts'

/** The time ranges of the charts. `ago` labels the start and the middle of the axis. */
export const TIME_RANGES = {
  minutes: {
    ms: HISTORY_MS,
    name: '2 min',
    spoken: 'last two minutes',
    ago: ['2 min ago', '1 min'],
  },
  hour: { ms: SERVER_HISTORY_MS, name: '1 h', spoken: 'last hour', ago: ['1 h ago', '30 min'] },
} as const

export type TimeRangeName = keyof typeof TIME_RANGES

const STORAGE_KEY = 'throughline-span'
const listeners = new Set<() => void>()

const currentRange = (): TimeRangeName =>
  sessionStorage.getItem(STORAGE_KEY) === 'hour' ? 'hour' : 'minutes'

function choose(span: TimeRangeName): void {
  sessionStorage.setItem(STORAGE_KEY, span)
  for (const listener of listeners) listener()
}

function subscribe(changed: () => void): () => void {
  listeners.add(changed)
  return () => listeners.delete(changed)
}

/** The current time range, shared by all charts. */
export function useTimeRange(): TimeRangeName {
  return useSyncExternalStore(subscribe, currentRange)
}

export function TimeRangeSwitch(): ReactNode {
  const span = useTimeRange()
  return (
    <div className="switch" role="group" aria-label="Time range of the charts">
      {(Object.keys(TIME_RANGES) as TimeRangeName[]).map((name) => (
        <button key={name} type="button" aria-pressed={name === span} onClick={() => choose(name)}>
          {TIME_RANGES[name].name}
        </button>
      ))}
    </div>
  )
}
