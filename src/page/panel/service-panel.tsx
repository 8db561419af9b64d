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
  const { name, isPaused, pending, lag, rules } = service
  const holding = rules.filter((rule) => rule.pending > 0)
  return (
    <>
      {isPaused && (
        <p className="callout" data-tone="paused">
          Paused: the service reads no records until you resume it.
          {lag > 0 ? ` Lag: ${manyText(lag, 'record')}.` : ''}
        </p>
      )}
      {pending > 0 && (
        <div className="callout" data-tone="failing">
          <TriangleAlert size={14} aria-hidden />
          <p>
            {`${manyText(pending, 'event')} ${pending === 1 ? 'is' : 'are'} held at `}
            {holding.map((rule, index) => (
              <span key={rule.name}>
                {index > 0 && ', '}
                <a className="banner-link" href={heldAt(name, rule.name)}>
                  {rule.name}
                </a>
              </span>
            ))}
            . Other keys continue.
          </p>
        </div>
      )}
    </>
  )
}

const heldAt = (service: string, rule: string): string =>
  fragmentOf({ kind: 'list', name: 'held', filter: { consumer: `${service}/${rule}` } })

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

function Rules({ rules }: { rules: readonly RuleView[] }): ReactNode {
  return (
    <section aria-labelledby="rules-title">
      <h3 id="rules-title">Rules</h3>
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Rule</th>
            <th scope="col">Accepted</th>
            <th scope="col">Completed</th>
            <th scope="col">Held</th>
            <th scope="col">Expired</th>
            <th scope="col">Lag</th>
          </tr>
        </thead>
        <tbody>
          {rules.map(({ name, kind, accepted, completed, pending, expired, lag }) => (
            <tr key={name}>
              <th scope="row">
                {name} <span>{kind}</span>
              </th>
              <td>{countText(accepted)}</td>
              <td>{countText(completed)}</td>
              <td data-tone={pending > 0 ? 'bad' : 'none'}>{countText(pending)}</td>
              <td data-tone={expired > 0 ? 'bad' : 'none'}>{countText(expired)}</td>
              <td data-tone={lag > 0 ? 'warn' : 'none'}>{countText(lag)}</td>
            </tr>
          ))}
        </tbody>
      </table>
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
