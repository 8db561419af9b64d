import type { ReactNode } from 'react'
import { useMemo } from 'react'
import { useLive } from '../live/live-provider.tsx'
import { rateText } from '../text/format.ts'
import type { MapGraph } from './graph.ts'
import { layoutOf } from './layout.ts'
import { ServiceCard } from './service-card.tsx'

/** The map for narrow screens: the services in flow order, each with the topics that it writes. */
export function ServiceList({ graph }: { graph: MapGraph }): ReactNode {
  const services = useMemo(() => {
    const { boxes } = layoutOf(graph)
    const placeOf = (id: string): number => {
      const { x = 0, y = 0 } = boxes.get(id) ?? {}
      return x * 10_000 + y
    }
    return graph.services.toSorted((a, b) => placeOf(a.id) - placeOf(b.id))
  }, [graph])
  return (
    <ol className="service-list">
      {services.map((service) => (
        <li key={service.name}>
          <ServiceCard service={service} />
          <Writes service={service.name} />
        </li>
      ))}
    </ol>
  )
}

function Writes({ service }: { service: string }): ReactNode {
  const { overview, history } = useLive()
  const topics = (overview?.topics ?? []).filter(
    ({ name, appended }) =>
      appended > 0 &&
      overview?.links.some(
        ({ kind, ...link }) => kind === 'writes' && link.service === service && link.topic === name,
      ),
  )
  if (topics.length === 0) return null
  return (
    <ul className="writes" aria-label={`${service} writes`}>
      <li aria-hidden>writes</li>
      {topics.map(({ name, carries }) => (
        <li key={name} data-carries={carries}>
          <a href={`#/topic/${encodeURIComponent(name)}`} data-opens={`topic:${name}`}>
            {name}
            <span>{rateText(history.rates.topics.get(name) ?? 0)}/s</span>
          </a>
        </li>
      ))}
    </ul>
  )
}
