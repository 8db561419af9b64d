import type { EdgeProps } from '@xyflow/react'
import { EdgeLabelRenderer } from '@xyflow/react'
import type { ReactNode } from 'react'
import { use, useEffect, useMemo, useRef } from 'react'
import type { LinkView, Overview } from '../../admin/wire.ts'
import type { Live } from '../live/connection.ts'
import { readKey } from '../live/history.ts'
import { useLive } from '../live/live-provider.tsx'
import { countText, durationText } from '../text/format.ts'
import type { MapEdge } from './graph.ts'
import { BeadLinesContext, HighlightContext } from './map-contexts.ts'
import type { Point } from './layout.ts'
import { pathOf } from './line.ts'
import { BASE_SPEED, gapOf, speedOf } from './bead-pace.ts'

interface EdgeData {
  readonly edge: MapEdge
  readonly points: readonly Point[]
  /** The position of the lag label, and the lines that it is for. */
  readonly label?: { readonly at: Point; readonly edges: readonly MapEdge[] }
}

/** A lag that is younger is not shown. */
const LAG_SHOWN_FROM_MS = 1_000
const still = matchMedia('(prefers-reduced-motion: reduce)')

/** The line of an edge. All lines are drawn below all beads. */
export function TrackEdge({ data }: EdgeProps): ReactNode {
  const { edge, points, label } = data as unknown as EdgeData
  const pointed = use(HighlightContext)
  const live = useLive()
  const path = useMemo(() => pathOf(points), [points])
  return (
    <g
      className="flow"
      data-carries={edge.carries}
      data-state={stateOf(edge, live)}
      data-far={isFar(edge, pointed)}
    >
      <path className="flow-track" d={path} />
      {label && <LagLabel {...label} />}
    </g>
  )
}

/** The beads of an edge, on the part that no other line covers. */
export function BeadsEdge({ data }: EdgeProps): ReactNode {
  const { edge } = data as unknown as EdgeData
  const pointed = use(HighlightContext)
  const live = useLive()
  const points = use(BeadLinesContext).get(edge.id)
  if (!points || points.length < 2) return null
  return (
    <g className="flow" data-carries={edge.carries} data-far={isFar(edge, pointed)}>
      <Beads path={pathOf(points)} rate={rateOf(edge, live)} />
    </g>
  )
}

/** Whether the pointer is on a node that the edge does not touch. */
export function isFar({ from, to }: MapEdge, pointed: string | undefined): boolean {
  return pointed !== undefined && pointed !== from && pointed !== to
}

/** Beads that move along a line; a higher rate makes them closer and faster. */
function Beads({ path, rate }: { path: string; rate: number }): ReactNode {
  const line = useRef<SVGPathElement>(null)
  const running = useRef<Animation>(null)
  const gap = gapOf(rate)
  const speed = speedOf(rate)
  useEffect(() => {
    if (still.matches || !line.current) return
    const animation = line.current.animate(
      [{ strokeDashoffset: '0' }, { strokeDashoffset: `${-gap}` }],
      { duration: (gap / BASE_SPEED) * 1_000, iterations: Infinity },
    )
    running.current = animation
    return () => animation.cancel()
  }, [gap])
  // Changes the speed without a jump: the animation keeps its position.
  useEffect(() => running.current?.updatePlaybackRate(speed / BASE_SPEED), [speed, gap])
  return <path ref={line} className="flow-beads" d={path} strokeDasharray={`0.1 ${gap - 0.1}`} />
}

type Reading = Extract<LinkView, { kind: 'reads' }>

function LagLabel({ at, edges }: NonNullable<EdgeData['label']>): ReactNode {
  const { overview } = useLive()
  const readings = edges
    .map((edge) => readingOf(edge, overview))
    .filter((reading) => reading !== undefined)
  const lag = readings.reduce((sum, reading) => sum + reading.lag, 0)
  const ageMs = Math.max(0, ...readings.map((reading) => reading.ageMs))
  if (lag === 0 || ageMs < LAG_SHOWN_FROM_MS) return null
  const place = `translate(-50%, -50%) translate(${at.x}px, ${at.y}px)`
  return (
    <EdgeLabelRenderer>
      <span className="flow-lag" style={{ transform: place }}>
        {countText(lag)} <span>{durationText(ageMs)}</span>
      </span>
    </EdgeLabelRenderer>
  )
}

/** The state of an edge: flowing, idle, or paused with its service. */
export function stateOf(edge: MapEdge, live: Live): 'paused' | 'flowing' | 'idle' {
  if (isPausedAt(edge, live.overview)) return 'paused'
  return rateOf(edge, live) > 0 ? 'flowing' : 'idle'
}

function rateOf({ kind, service, topic }: MapEdge, { history: { rates } }: Live): number {
  if (kind === 'reads') return rates.reads.get(readKey(service ?? '', topic)) ?? 0
  return rates.topics.get(topic) ?? 0
}

function readingOf(edge: MapEdge, overview: Overview | undefined): Reading | undefined {
  if (edge.kind !== 'reads') return undefined
  const found = overview?.links.find(
    (link) => link.kind === 'reads' && link.service === edge.service && link.topic === edge.topic,
  )
  return found?.kind === 'reads' ? found : undefined
}

function isPausedAt({ service, kind }: MapEdge, overview: Overview | undefined): boolean {
  if (kind === 'enters') return false
  return overview?.services.some(({ name, isPaused }) => name === service && isPaused) ?? false
}
