import { TriangleAlert, Unplug } from 'lucide-react'
import type { ReactNode } from 'react'
import type { Alarm, Overview } from '../../admin/wire.ts'
import { visible } from '../text/visible.ts'
import { ALARMS } from './alarms.ts'
import type { Headline } from './headline.ts'

/** So many alarms are in sight at once; the others are behind a click. */
const SHOWN = 3

interface Props {
  readonly headline: Headline
  readonly overview: Overview | undefined
}

/** Under the header, only while there is something that somebody should look at. */
export function Banner({ headline: { is, detail }, overview }: Props): ReactNode {
  if (is === 'lost' || is === 'failing') {
    const Icon = is === 'lost' ? Unplug : TriangleAlert
    return (
      <div className="banner" data-is={is}>
        <Icon size={15} aria-hidden />
        <p>{visible(detail)}</p>
      </div>
    )
  }
  const alarms = overview ? alarmsOf(overview) : []
  if (alarms.length === 0) return null
  const isDegraded = alarms.some(({ kind }) => ALARMS[kind].isPressing)
  return (
    <section className="banner" data-is={isDegraded ? 'degraded' : 'noted'} aria-label="Alarms">
      <TriangleAlert size={15} aria-hidden />
      <div className="banner-alarms">
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
  return (
    <ul>
      {alarms.map((alarm) => {
        const { place, text, isPressing } = ALARMS[alarm.kind]
        return (
          <li
            key={`${alarm.kind} ${alarm.consumer ?? alarm.examples[0]}`}
            data-is-pressing={isPressing}
          >
            <span>{visible(alarm.message)}.</span>{' '}
            <a className="banner-link" href={place(alarm)}>
              {text}
            </a>
          </li>
        )
      })}
    </ul>
  )
}

/** The pressing ones first. What is held and no alarm yet is one all the same. */
function alarmsOf({ health: { alarms }, services }: Overview): readonly Alarm[] {
  const pending = services.reduce((sum, service) => sum + service.pending, 0)
  const isKnown = pending === 0 || alarms.some(({ kind }) => kind === 'held-keys')
  const held: Alarm = {
    kind: 'held-keys',
    message: `${pending} ${pending === 1 ? 'event waits' : 'events wait'} behind a fault`,
    count: pending,
    examples: [],
    threshold: {},
  }
  const all = isKnown ? alarms : [held, ...alarms]
  return all.toSorted(
    (a, b) => Number(ALARMS[b.kind].isPressing) - Number(ALARMS[a.kind].isPressing),
  )
}
