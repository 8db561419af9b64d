import type { ReactNode } from 'react'
import { lazy, Suspense, useMemo } from 'react'
import type { Overview } from '../../admin/wire.ts'
import { Logo } from '../frame/logo.tsx'
import { useMedia } from '../frame/use-media.ts'
import { graphOf } from './graph.ts'
import './map.css'
import { ServiceList } from './service-list.tsx'

const FlowMap = lazy(async () => ({ default: (await import('./flow-map.tsx')).FlowMap }))

/** The map, or a list of the services on a narrow screen. */
export function MapSection({ overview }: { overview: Overview }): ReactNode {
  const isNarrow = useMedia('(max-width: 1000px)')
  // The parts of the overview that change the drawing, so that new counts do not lay it out again.
  const shape = JSON.stringify([
    overview.services.map(({ name }) => name),
    overview.topics.map(({ name, carries, appended }) => [name, carries, appended > 0]),
    overview.links.map(({ kind, service, topic }) => [kind, service, topic]),
  ])
  const graph = useMemo(() => graphOf(overview), [shape])
  if (overview.services.length === 0)
    return (
      <section className="section map-section map-empty" aria-label="Map">
        <Logo width={54} />
        <p className="empty-title">No services are running</p>
        <p>Services appear here as soon as the system starts them.</p>
      </section>
    )
  return (
    <section className="section map-section" aria-label="Map of services and topics">
      {isNarrow ? (
        <ServiceList graph={graph} />
      ) : (
        <Suspense fallback={null}>
          <FlowMap graph={graph} />
        </Suspense>
      )}
    </section>
  )
}
