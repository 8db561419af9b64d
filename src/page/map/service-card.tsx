import { Pause } from 'lucide-react'
import type { ReactNode } from 'react'
import type { LinkView, SampleView, ServiceView } from '../../admin/wire.ts'
import type { Rates } from '../live/history.ts'
import { readKey } from '../live/history.ts'
import { useLive } from '../live/live-provider.tsx'
import { useRoute } from '../route/use-route.ts'
import { countText, durationText, rateText } from '../text/format.ts'
import './card.css'
import type { MapService } from './graph.ts'
import { Sparkline } from './sparkline.tsx'

type Reading = Extract<LinkView, { kind: 'reads' }>

/** The state of a service. */
export function stateOf({ isPaused, pending, dead }: ServiceView): 'paused' | 'failing' | 'well' {
  if (isPaused) return 'paused'
  return pending + dead > 0 ? 'failing' : 'well'
}

export function ServiceCard({ service }: { service: MapService }): ReactNode {
  const { overview, history } = useLive()
  const route = useRoute()
  const view = overview?.services.find(({ name }) => name === service.name)
  if (!overview || !view) return null
  const { rates, samples } = history
  const readings = overview.links.filter(
    (link): link is Reading => link.kind === 'reads' && link.service === service.name,
  )
  const heard = readings.filter(({ topic }) => service.reads.includes(topic))
  return (
    <article
      className="card"
      data-state={stateOf(view)}
      data-is-open={route.kind === 'service' && route.name === service.name}
    >
      <CardHead view={view} rates={rates} samples={samples} />
      <ul className="inlets">
        {service.docked.map(({ name, carries }) => (
          <li key={name} className="inlet" data-carries={carries}>
            <a
              className="nopan"
              href={`#/topic/${encodeURIComponent(name)}`}
              data-opens={`topic:${name}`}
              aria-label={`Topic ${name}`}
            >
              {carries}
            </a>
            <InletMetrics readings={readings.filter(({ topic }) => topic === name)} rates={rates} />
          </li>
        ))}
        {heard.length > 0 && (
          <li className="inlet" data-carries="events">
            <span>{heard.length === 1 ? 'events' : `events, ${heard.length} topics`}</span>
            <InletMetrics readings={heard} rates={rates} />
          </li>
        )}
        {service.docked.length + heard.length === 0 && (
          <li className="inlet inlet-none">reads nothing</li>
        )}
      </ul>
    </article>
  )
}

interface HeadProps {
  readonly view: ServiceView
  readonly rates: Rates
  readonly samples: readonly SampleView[]
}

function CardHead({ view, rates, samples }: HeadProps): ReactNode {
  const { name, isPaused, pending, dead } = view
  const rate = rates.services.get(name) ?? 0
  return (
    <a
      className="card-head nopan"
      href={`#/service/${encodeURIComponent(name)}`}
      data-opens={`service:${name}`}
    >
      <span className="only-spoken">Service </span>
      <span className="card-name">{name}</span>
      {isPaused && (
        <span className="tag tag-paused">
          <Pause size={10} aria-hidden /> paused
        </span>
      )}
      {dead > 0 && <span className="tag tag-failing">{countText(dead)} dead</span>}
      {pending > 0 && dead === 0 && (
        <span className="tag tag-failing">
          {countText(pending)} {pending === 1 ? 'waits' : 'wait'}
        </span>
      )}
      {!isPaused && pending + dead === 0 && (
        <Sparkline values={samples.map(({ services }) => services[name]?.perSecond ?? 0)} />
      )}
      {!isPaused && (
        <span className="card-rate">
          {rateText(rate)}
          <span>/s</span>
        </span>
      )}
    </a>
  )
}

/** The rate of an inlet, or its lag once that is older than a second. */
function InletMetrics({
  readings,
  rates,
}: {
  readings: readonly Reading[]
  rates: Rates
}): ReactNode {
  const lag = readings.reduce((sum, reading) => sum + reading.lag, 0)
  const ageMs = Math.max(0, ...readings.map((reading) => reading.ageMs))
  const rate = readings.reduce(
    (sum, { service, topic }) => sum + (rates.reads.get(readKey(service, topic)) ?? 0),
    0,
  )
  if (lag > 0 && ageMs >= 1_000)
    return (
      <span className="intake intake-lag">
        <span className="only-spoken">lag </span>
        {countText(lag)} <span>{durationText(ageMs)}</span>
      </span>
    )
  return <span className="intake">{rate < 0.05 ? '–' : `${rateText(rate)}/s`}</span>
}
