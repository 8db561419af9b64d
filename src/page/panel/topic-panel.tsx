import type { ReactNode } from 'react'
import { useEffect, useState } from 'react'
import type { EventView, TopicView } from '../../admin/wire.ts'
import { EventStream } from '../events/event-stream.tsx'
import type { Asked } from '../live/api.ts'
import { askEvents } from '../live/api.ts'
import { useLive } from '../live/live.tsx'
import { countText, rateText } from '../text/format.ts'
import { Panel } from './panel.tsx'

const SHOWN = 50

export function TopicPanel({ name }: { name: string }): ReactNode {
  const { overview, history } = useLive()
  const topic = overview?.topics.find((each) => each.name === name)
  const asked = useEventsOf(name, topic?.appended ?? 0)
  return (
    <Panel kind="Topic" title={name}>
      {topic && <Facts topic={topic} rate={history.rates.topics.get(name) ?? 0} />}
      <section aria-label="Newest events of the topic">
        {asked.is === 'refused' && <p className="note">{asked.reason}</p>}
        {asked.is === 'answered' && (
          <EventStream
            title="Newest events"
            events={asked.answer}
            now={overview?.at ?? 0}
            empty="Nothing was written to this topic yet."
          />
        )}
      </section>
    </Panel>
  )
}

/** Asks once when it opens, and again whenever the topic grew and the last answer is there. */
function useEventsOf(name: string, appended: number): Asked<readonly EventView[]> {
  const [asked, setAsked] = useState<Asked<readonly EventView[]>>({ is: 'asking' })
  useEffect(() => {
    let isCurrent = true
    void askEvents(name, SHOWN).then((answer) => {
      if (isCurrent) setAsked(answer)
    })
    return () => {
      isCurrent = false
    }
  }, [name, appended])
  return asked
}

function Facts({ topic, rate }: { topic: TopicView; rate: number }): ReactNode {
  const facts = [
    ['Appended', countText(topic.appended)],
    ['A second', rateText(rate)],
    ['Held now', countText(topic.held)],
    ['Partitions', String(topic.partitions)],
  ] as const
  return (
    <dl className="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}
