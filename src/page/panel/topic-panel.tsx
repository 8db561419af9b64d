import type { ReactNode } from 'react'
import type { EventView, ListPage, TopicView } from '../../admin/wire.ts'
import { EventStream } from '../events/event-stream.tsx'
import type { FilterField } from '../lists/filter-form.tsx'
import { FilterForm } from '../lists/filter-form.tsx'
import { Pager } from '../lists/pager.tsx'
import { useList } from '../lists/use-list.ts'
import { useLive } from '../live/live-provider.tsx'
import type { Filter } from '../route/route.ts'
import { navigate } from '../route/use-route.ts'
import { countText, rateText } from '../text/format.ts'
import { Panel } from './panel.tsx'
import { FailureNote } from './failure-note.tsx'

const SHOWN = 50

export function TopicPanel({ name, filter }: { name: string; filter: Filter }): ReactNode {
  const { overview, history } = useLive()
  const topic = overview?.topics.find((each) => each.name === name)
  return (
    <Panel kind="Topic" title={name} isWide>
      {topic && <Facts topic={topic} rate={history.rates.topics.get(name) ?? 0} />}
      <FilterForm
        fields={fieldsOf(topic)}
        filter={filter}
        changed={(changed) => navigate({ kind: 'topic', name, filter: changed })}
      />
      <Messages
        key={JSON.stringify(filter)}
        name={name}
        filter={filter}
        appended={topic?.appended ?? 0}
      />
    </Panel>
  )
}

function fieldsOf(topic: TopicView | undefined): readonly FilterField[] {
  const partitions = Array.from({ length: topic?.partitions ?? 0 }, (_, index) => String(index))
  return [
    { name: 'key', label: 'Key', kind: 'text' },
    { name: 'type', label: 'Type', kind: 'text' },
    { name: 'text', label: 'Text in the data', kind: 'text' },
    {
      name: 'partition',
      label: 'Partition',
      kind: 'choice',
      choices: [['', 'All'], ...partitions.map((each) => [each, each] as const)],
    },
    { name: 'offset', label: 'Up to offset', kind: 'number' },
    { name: 'since', label: 'From', kind: 'time' },
    { name: 'until', label: 'Until', kind: 'time' },
  ]
}

interface MessagesProps {
  readonly name: string
  readonly filter: Filter
  readonly appended: number
}

/** The events of a topic, newest first. Without a filter, the first page updates itself. */
function Messages({ name, filter, appended }: MessagesProps): ReactNode {
  const { overview } = useLive()
  const isWhole = Object.keys(filter).length === 0
  const path = `topics/${encodeURIComponent(name)}/events`
  const query = { ...filter, limit: String(SHOWN) }
  const pages = useList<ListPage<EventView>>(path, query, isWhole ? appended : 0)
  const { request, next, pagesBefore } = pages
  if (request.status === 'loading') return <p className="note">Loading…</p>
  if (request.status === 'failed') return <FailureNote refused={request} />
  const { items } = request.answer
  const isCut = items.length < SHOWN && next !== undefined
  return (
    <section aria-label="Events of the topic">
      <EventStream
        title={isWhole && pagesBefore === 0 ? 'Newest events' : 'Events, newest first'}
        events={items}
        now={overview?.at ?? 0}
        empty={emptyText(isWhole, isCut)}
        isLive={isWhole && pagesBefore === 0}
        aside="place"
      />
      <Pager
        pages={pages}
        words={['Newer', isCut ? 'Search further' : 'Older']}
        note={isCut ? 'There may be older matches' : undefined}
      />
    </section>
  )
}

function emptyText(isWhole: boolean, isCut: boolean): string {
  if (isCut) return 'No matches so far.'
  return isWhole ? 'This topic has no events yet.' : 'No events match.'
}

function Facts({ topic, rate }: { topic: TopicView; rate: number }): ReactNode {
  const facts = [
    ['Appended', countText(topic.appended)],
    ['Per second', rateText(rate)],
    ['Retained', countText(topic.retained)],
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
