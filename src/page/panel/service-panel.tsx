import { TriangleAlert } from 'lucide-react'
import type { ReactNode } from 'react'
import type { LinkView, RuleView, ServiceView } from '../../admin/wire.ts'
import type { History } from '../live/history.ts'
import { samplesOver } from '../live/history.ts'
import { useLive } from '../live/live-provider.tsx'
import { Chart } from '../pulse/chart.tsx'
import { lagNote } from '../pulse/pulse.tsx'
import { TIME_RANGES, TimeRangeSwitch, useTimeRange } from '../pulse/time-range.tsx'
import { fragmentOf } from '../route/route.ts'
import { countText, durationText, manyText, rateText } from '../text/format.ts'
import { Panel } from './panel.tsx'
import { PauseButton } from './pause-button.tsx'

export function ServicePanel({ name }: { name: string }): ReactNode {
  const { overview, history } = useLive()
  const service = overview?.services.find((each) => each.name === name)
  if (!service)
    return (
      <Panel kind="Service" title={name}>
        <p className="note">{overview ? 'No service with this name is running.' : 'Loading…'}</p>
      </Panel>
    )
  return (
    <Panel kind="Service" title={name} aside={<PauseButton service={service} />}>
      <State service={service} />
      <Figures service={service} history={history} />
      <Rules rules={service.rules} />
      <Topics links={overview?.links.filter((link) => link.service === name) ?? []} />
    </Panel>
  )
}

function State({ service }: { service: ServiceView }): ReactNode {
  const { name, isPaused, pending, dead, lag, rules } = service
  const holding = rules.filter((rule) => rule.pending > 0)
  return (
    <>
      {isPaused && (
        <p className="callout" data-tone="paused">
          Paused: the service reads no records until you resume it.
          {lag > 0 ? ` Lag: ${manyText(lag, 'record')}.` : ''}
        </p>
      )}
      {dead > 0 && (
        <div className="callout" data-tone="failing">
          <TriangleAlert size={14} aria-hidden />
          <p>
            {`${manyText(dead, 'dead letter')} at `}
            <RuleLinks list="dead" service={name} rules={rules.filter((rule) => rule.dead > 0)} />.
            Redrive or discard {dead === 1 ? 'it' : 'them'}.
          </p>
        </div>
      )}
      {pending > 0 && (
        <div className="callout" data-tone="failing">
          <TriangleAlert size={14} aria-hidden />
          <p>
            {`${manyText(pending, 'event')} ${pending === 1 ? 'is' : 'are'} held at `}
            <RuleLinks list="held" service={name} rules={holding} />. Other keys continue.
          </p>
        </div>
      )}
    </>
  )
}

interface RuleLinksProps {
  readonly list: 'held' | 'dead'
  readonly service: string
  readonly rules: readonly RuleView[]
}

/** The names of rules, each with a link to a list of its keys or messages. */
function RuleLinks({ list, service, rules }: RuleLinksProps): ReactNode {
  return rules.map(({ name }, index) => {
    const filter = { consumer: `${service}/${name}` }
    return (
      <span key={name}>
        {index > 0 && ', '}
        <a className="banner-link" href={fragmentOf({ kind: 'list', name: list, filter })}>
          {name}
        </a>
      </span>
    )
  })
}

interface FiguresProps {
  readonly service: ServiceView
  readonly history: History
}

function Figures({ service: { name, lag, ageMs }, history }: FiguresProps): ReactNode {
  const samples = samplesOver(history, TIME_RANGES[useTimeRange()].ms)
  const of = (figure: 'perSecond' | 'lag') =>
    samples.map(({ at, services }) => ({ at, value: services[name]?.[figure] ?? 0 }))
  const rates = of('perSecond')
  return (
    <section aria-label="Charts">
      <div className="section-head">
        <h3>Flow</h3>
        <TimeRangeSwitch />
      </div>
      <div className="panel-charts">
        <Chart
          title="Completed per second"
          tone="events"
          points={rates}
          write={rateText}
          height={72}
        />
        <Chart
          title="Lag"
          points={of('lag')}
          write={countText}
          height={72}
          {...lagNote(lag, ageMs)}
        />
      </div>
    </section>
  )
}

/** A counter of the table; one that is seldom needed is left out while it is 0 everywhere. */
const COUNTERS = [
  { name: 'accepted', title: 'Accepted', tone: undefined, isSeldom: false },
  { name: 'completed', title: 'Completed', tone: undefined, isSeldom: false },
  { name: 'pending', title: 'Held', tone: 'bad', isSeldom: false },
  { name: 'dead', title: 'Dead', tone: 'bad', isSeldom: false },
  { name: 'discarded', title: 'Discarded', tone: 'warn', isSeldom: true },
  { name: 'expired', title: 'Expired', tone: 'bad', isSeldom: true },
  { name: 'lag', title: 'Lag', tone: 'warn', isSeldom: false },
] as const

function Rules({ rules }: { rules: readonly RuleView[] }): ReactNode {
  const counters = COUNTERS.filter(
    ({ name, isSeldom }) => !isSeldom || rules.some((rule) => rule[name] > 0),
  )
  return (
    <section aria-labelledby="rules-title">
      <h3 id="rules-title">Rules</h3>
      <div className="table-frame" tabIndex={0} role="region" aria-label="Counters of the rules">
        <table className="table">
          <thead>
            <tr>
              <th scope="col">Rule</th>
              {counters.map(({ name, title }) => (
                <th key={name} scope="col">
                  {title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rules.map((rule) => (
              <tr key={rule.name}>
                <th scope="row">
                  {rule.name} <span>{rule.kind}</span>
                </th>
                {counters.map(({ name, tone }) => (
                  <td key={name} data-tone={tone && (rule[name] > 0 ? tone : 'none')}>
                    {countText(rule[name])}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  )
}

function Topics({ links }: { links: readonly LinkView[] }): ReactNode {
  const reads = links.filter((link) => link.kind === 'reads')
  const writes = links.filter(({ kind }) => kind === 'writes')
  return (
    <section className="panel-topics" aria-label="Topics">
      <TopicList title="Reads" links={reads} />
      <TopicList title="Writes" links={writes} />
    </section>
  )
}

function TopicList({ title, links }: { title: string; links: readonly LinkView[] }): ReactNode {
  return (
    <div>
      <h3>{title}</h3>
      {links.length === 0 && <p className="note">None.</p>}
      <ul>
        {links.map((link) => (
          <li key={link.topic}>
            <a className="link mono" href={`#/topic/${encodeURIComponent(link.topic)}`}>
              {link.topic}
            </a>
            {link.kind === 'reads' && link.lag > 0 && (
              <span className="lag-word">
                {countText(link.lag)} · {durationText(link.ageMs)}
              </span>
            )}
          </li>
        ))}
      </ul>
    </div>
  )
}
