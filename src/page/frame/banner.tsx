import { TriangleAlert, Unplug } from 'lucide-react'
import type { ReactNode } from 'react'
import type { Alarm, Overview } from '../../admin/wire.ts'
import { showInvisible } from '../text/show-invisible.ts'
import { ALARM_LINKS, alarmsOf } from './alarms.ts'
import type { Headline } from './headline.ts'

/** The number of alarms that are shown at once; the others are folded. */
const SHOWN = 3

interface Props {
  readonly headline: Headline
  readonly overview: Overview | undefined
}

/** The alarms under the header; nothing if there are none. Failures come first. */
export function Banner({ headline: { status, detail }, overview }: Props): ReactNode {
  if (status === 'lost')
    return (
      <div className="banner" data-is={status}>
        <Unplug size={15} aria-hidden />
        <p>{showInvisible(detail)}</p>
      </div>
    )
  const alarms = overview ? alarmsOf(overview) : []
  const isFailing = status === 'failing'
  if (!isFailing && alarms.length === 0) return null
  const isDegraded = alarms.some(({ isDegrading }) => isDegrading)
  return (
    <section
      className="banner"
      data-is={isFailing ? status : isDegraded ? 'degraded' : 'noted'}
      aria-label="Alarms"
    >
      <TriangleAlert size={15} aria-hidden />
      <div className="banner-alarms">
        {isFailing && <p>{showInvisible(detail)}</p>}
        <AlarmList alarms={alarms.slice(0, SHOWN)} />
        {alarms.length > SHOWN && (
          <details>
            <summary>{alarms.length - SHOWN} more</summary>
            <AlarmList alarms={alarms.slice(SHOWN)} />
          </details>
        )}
      </div>
    </section>
  )
}

function AlarmList({ alarms }: { alarms: readonly Alarm[] }): ReactNode {
  if (alarms.length === 0) return null
  return (
    <ul>
      {alarms.map((alarm) => {
        const { href, text } = ALARM_LINKS[alarm.kind]
        return (
          <li
            key={`${alarm.kind} ${alarm.consumer ?? alarm.examples[0]}`}
            data-is-degrading={alarm.isDegrading}
          >
            <span>{showInvisible(alarm.message)}.</span>{' '}
            <a className="banner-link" href={href(alarm)}>
              {text}
            </a>
          </li>
        )
      })}
    </ul>
  )
}
