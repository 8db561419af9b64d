import type { ReactNode } from 'react'
import type { EventView, Overview } from '../../admin/wire.ts'
import { EventStream } from './event-stream.tsx'

interface Props {
  readonly overview: Overview
  readonly newest: readonly EventView[]
}

export function NewestEvents({ overview, newest }: Props): ReactNode {
  return (
    <section className="section newest" aria-label="Newest events">
      <EventStream
        title="Newest events"
        events={newest}
        now={overview.at}
        empty="No events yet. The first one appears here as soon as it is stored."
      />
    </section>
  )
}
