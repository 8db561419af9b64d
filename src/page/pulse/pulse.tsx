import { HardDrive, MemoryStick, Server } from 'lucide-react'
import type { ReactNode } from 'react'
import { useMemo } from 'react'
import type { Overview } from '../../admin/wire.ts'
import type { History } from '../live/history.ts'
import { lagOf, oldestOf, samplesOver } from '../live/history.ts'
import { countText, durationText, rateText } from '../text/format.ts'
import { Chart } from './chart.tsx'
import { TIME_RANGES, TimeRangeSwitch, useTimeRange } from './time-range.tsx'

const ACKS = {
  disk: { Icon: HardDrive, text: 'Acks: synced to disk' },
  replicated: { Icon: Server, text: 'Acks: on all replicas' },
  memory: { Icon: MemoryStick, text: 'Acks: in memory only' },
} as const

/** The note beside a lag: the age of the oldest record, once that is more than a second. */
export function lagNote(lag: number, ageMs: number): LagNote {
  if (lag === 0) return { tone: 'lag', note: 'up to date' }
  if (ageMs < 1_000) return { tone: 'lag' }
  return { tone: 'late', note: `oldest ${durationText(ageMs)}` }
}

interface LagNote {
  readonly tone: 'lag' | 'late'
  readonly note?: string
}

interface Props {
  readonly overview: Overview
  readonly history: History
}

export function Pulse({ overview, history }: Props): ReactNode {
  const span = useTimeRange()
  const samples = useMemo(() => samplesOver(history, TIME_RANGES[span].ms), [history, span])
  const rates = useMemo(
    () => samples.map(({ at, perSecond }) => ({ at, value: perSecond })),
    [samples],
  )
  const lags = useMemo(() => samples.map(({ at, lag }) => ({ at, value: lag })), [samples])
  const { Icon, text } = ACKS[overview.ack]
  return (
    <section className="section pulse" aria-labelledby="pulse-title">
      <div className="section-head">
        <h2 id="pulse-title">Throughput and lag</h2>
        <p className="ack" data-ack={overview.ack}>
          <Icon size={13} aria-hidden /> {text}
        </p>
        <TimeRangeSwitch />
      </div>
      <Chart title="Events per second" tone="events" points={rates} write={rateText} height={112} />
      <Chart
        title="Lag"
        points={lags}
        write={countText}
        height={80}
        {...lagNote(lagOf(overview), oldestOf(overview))}
      />
    </section>
  )
}
