import type { ReactNode } from 'react'
import { useEffect, useRef, useState } from 'react'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { useTheme } from '../frame/theme-switch.tsx'
import { durationText } from '../text/format.ts'
import type { Series } from './series.ts'
import { columnsOf, topOf } from './series.ts'
import type { TimeRangeName } from './time-range.tsx'
import { TIME_RANGES, useTimeRange } from './time-range.tsx'
import './pulse.css'

interface Props {
  readonly title: string
  /** `late` is a lag that is older than a second. */
  readonly tone: 'events' | 'lag' | 'late'
  readonly points: Series
  /** Formats a value. */
  readonly write: (value: number) => string
  readonly height: number
  /** Shown beside the value; default: the peak. */
  readonly note?: string
}

/** A current value with its chart. Hovering over the chart shows an earlier value. */
export function Chart({ title, tone, points, write, height, note }: Props): ReactNode {
  const [pointed, setPointed] = useState<number>()
  const span = useTimeRange()
  const last = points.at(-1)?.value ?? 0
  const was = pointed === undefined ? undefined : points[pointed]
  const agoMs = was ? (points.at(-1)?.at ?? was.at) - was.at : 0
  const peak = Math.max(0, ...points.map(({ value }) => value))
  return (
    <figure className="chart" data-tone={tone}>
      <figcaption>
        <span className="chart-title">{title}</span>
        <span className="chart-value">{write(was?.value ?? last)}</span>
        <span className="chart-note">
          {was ? `${durationText(agoMs)} ago` : (note ?? `peak ${write(peak)}`)}
        </span>
      </figcaption>
      <div
        role="img"
        aria-label={`${title}, ${TIME_RANGES[span].spoken}: now ${write(last)}, at most ${write(peak)}`}
      >
        <Plot {...{ tone, points, height, write, span }} pointed={setPointed} />
      </div>
    </figure>
  )
}

interface PlotProps extends Pick<Props, 'tone' | 'points' | 'height' | 'write'> {
  readonly span: TimeRangeName
  readonly pointed: (index: number | undefined) => void
}

function Plot({ tone, points, height, write, span, pointed }: PlotProps): ReactNode {
  const room = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot>(null)
  const theme = useTheme()
  useEffect(() => {
    const element = room.current
    if (!element) return
    const made = new uPlot(
      optionsOf(element, { tone, height, write, span, pointed }),
      columnsOf([]),
      element,
    )
    plot.current = made
    const watcher = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }))
    watcher.observe(element)
    return () => {
      watcher.disconnect()
      made.destroy()
    }
  }, [theme, tone, height, write, span, pointed])
  useEffect(() => {
    plot.current?.setData(columnsOf(points))
  }, [points, theme, tone, span])
  return <div ref={room} className="plot" style={{ height }} />
}

function optionsOf(element: HTMLElement, props: Omit<PlotProps, 'points'>): uPlot.Options {
  const { tone, height, write, pointed } = props
  const { ms, ago } = TIME_RANGES[props.span]
  const ink = getComputedStyle(element).color
  const faint = getComputedStyle(element).getPropertyValue('outline-color')
  const soft = getComputedStyle(element).getPropertyValue('text-decoration-color')
  const font = '11px Arial, sans-serif'
  const span = ms / 1_000
  const grid = { stroke: faint, width: 1 }
  return {
    width: element.clientWidth,
    height,
    padding: [6, 5, height >= 90 ? 0 : 7, 0],
    legend: { show: false },
    cursor: {
      y: false,
      drag: { x: false, y: false },
      points: { size: 7, fill: ink, stroke: 'transparent' },
    },
    hooks: {
      setCursor: [
        ({ cursor: { idx, left } }) => pointed((left ?? -1) < 0 ? undefined : (idx ?? 0)),
      ],
    },
    scales: {
      x: { time: false, range: [-span, 0] },
      y: { range: (_, __, max) => [0, topOf(max)] },
    },
    axes: [
      {
        show: height >= 90,
        stroke: soft,
        font,
        size: 20,
        gap: 3,
        ticks: { show: false },
        grid: { show: false },
        splits: [-span, -span / 2],
        values: () => [...ago],
        align: 1,
      },
      {
        stroke: soft,
        font,
        size: 44,
        gap: 4,
        ticks: { show: false },
        grid,
        splits: (_, __, ___, max) => [0, max / 2, max],
        values: (_, splits) => splits.map((value) => (value === 0 ? '0' : write(value))),
      },
    ],
    series: [
      {},
      {
        stroke: ink,
        width: 1.6,
        points: { show: false },
        fill: (chart) => fade(chart, ink),
        // A lag changes in steps, which a smooth curve would misrepresent.
        ...(uPlot.paths.spline && tone === 'events' ? { paths: uPlot.paths.spline() } : {}),
      },
    ],
  }
}

/** A gradient from the line down to transparent. */
function fade(chart: uPlot, ink: string): CanvasGradient {
  const { top, height } = chart.bbox
  const gradient = chart.ctx.createLinearGradient(0, top, 0, top + height)
  const [red = 0, green = 0, blue = 0] = (ink.match(/[\d.]+/g) ?? []).map(Number)
  gradient.addColorStop(0, `rgba(${red}, ${green}, ${blue}, 0.22)`)
  gradient.addColorStop(1, `rgba(${red}, ${green}, ${blue}, 0.01)`)
  return gradient
}
