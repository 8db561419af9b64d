import { Check } from 'lucide-react'
import type { ReactNode } from 'react'
import type { ChainEvent, EventAtConsumer } from '../../admin/wire.ts'
import { useLive } from '../live/live-provider.tsx'
import { dueText, manyText } from '../text/format.ts'
import { showInvisible } from '../text/show-invisible.ts'
import './ledger.css'
import { StatusBadge } from './status-badge.tsx'

/** The status of a message at its consumers: one line for those that have completed it, one for each other. */
export function StepConsumers({ event: { id, consumers = [] } }: { event: ChainEvent }): ReactNode {
  const completed = consumers.filter(({ status }) => status === 'COMPLETED')
  const others = consumers.filter(({ status }) => status !== 'COMPLETED')
  if (consumers.length === 0) return null
  return (
    <ul className="step-consumers" aria-label="Status at each consumer">
      {completed.length > 0 && (
        <li>
          <Check size={12} aria-hidden />
          <span>
            completed at {completed.map(({ consumer }) => showInvisible(consumer)).join(', ')}
          </span>
        </li>
      )}
      {others.map((each) => (
        <OpenConsumer key={each.consumer} id={id} at={each} />
      ))}
    </ul>
  )
}

function OpenConsumer({ id, at }: { id: string; at: EventAtConsumer }): ReactNode {
  const { overview } = useLive()
  const { consumer, status, attempts, dueAt, resolution } = at
  return (
    <li>
      <StatusBadge
        status={status}
        letter={{ consumer, id }}
        {...(resolution === undefined ? {} : { resolution })}
      />
      <span>at {showInvisible(consumer)}</span>
      {attempts > 0 && <span>{manyText(attempts, 'failed attempt')}</span>}
      {dueAt !== undefined && <span>next attempt {dueText(dueAt, overview?.at ?? 0)}</span>}
    </li>
  )
}
