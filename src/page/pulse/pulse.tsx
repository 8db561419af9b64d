import { HardDrive, MemoryStick, Server } from 'lucide-react'
import type { ReactNode } from 'react'
import { useMemo } from 'react'
import type { Overview } from '../../admin/wire.ts'
import type { History } from '../live/history.ts'
import { lagOf, oldestOf, samplesOver } from '../live/history.ts'
import { countText, durationText, rateText } from '../text/format.ts'
import { Chart } from './chart.tsx'
import { SPANS, SpanSwitch, useSpan } from './span.tsx'

const ACKS = {
  disk: { Icon: HardDrive, text: 'Acks are synced to disk' },
  replicated: { Icon: Server, text: 'Acks are on all replicas' },
  memory: { Icon: MemoryStick, text: 'Acks are in memory only' },
} as const

/** What lag means now: how long the oldest waits, once that is worth a word. */
export function lagWords(lag: number, ageMs: number): LagWords {
  if (lag === 0) return { tone: 'lag', note: 'nothing waits' }
  if (ageMs < 1_000) return { tone: 'lag' }
  return { tone: 'late', note: `oldest waits ${durationText(ageMs)}` }
}

interface LagWords {
  readonly tone: 'lag' | 'late'
  readonly note?: string
}

interface Props {
  readonly overview: Overview
  readonly history: History
}

export function Pulse({ overview, history }: Props): ReactNode {
  const span = useSpan()
  const samples = useMemo(() => samplesOver(history, SPANS[span].ms), [history, span])
  const rates = useMemo(
    () => samples.map(({ at, perSecond }) => ({ at, value: perSecond })),
    [samples],
  )
  const lags = useMemo(() => samples.map(({ at, lag }) => ({ at, value: lag })), [samples])
  const { Icon, text } = ACKS[overview.ack]
  return (
    <section className="section pulse" aria-labelledby="pulse-title">
      <div className="section-head">
        <h2 id="pulse-title">Pulse</h2>
        <p className="ack" data-ack={overview.ack}>
          <Icon size={13} aria-hidden /> {text}
        </p>
        <SpanSwitch />
      </div>
      <Chart title="Events a second" tone="events" points={rates} write={rateText} height={112} />
      <Chart
        title="Lag"
        points={lags}
        write={countText}
        height={80}
        {...lagWords(lagOf(overview), oldestOf(overview))}
      />
    </section>
  )
}
