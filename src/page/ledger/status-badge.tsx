import type { ReactNode } from 'react'
import type { EventAtConsumer } from '../../admin/wire.ts'
import { fragmentOf } from '../route/route.ts'
import './ledger.css'

type Status = EventAtConsumer['status']

interface Props {
  readonly status: Status
  readonly resolution?: EventAtConsumer['resolution'] | null
  /** The consumer and the event of a dead letter, which the badge leads to. */
  readonly letter?: { readonly consumer: string; readonly id: string }
}

/** The status of an event at a consumer. */
export function StatusBadge({ status, resolution, letter }: Props): ReactNode {
  const isDiscarded = resolution === 'DISCARDED'
  const text = isDiscarded ? `${status} (${resolution})` : status.replace('_', ' ')
  if (status !== 'FAILED' || isDiscarded || !letter)
    return (
      <span className="status" data-status={isDiscarded ? 'DISCARDED' : status}>
        {text}
      </span>
    )
  const href = fragmentOf({ kind: 'list', name: 'dead', filter: { ...letter } })
  return (
    <a className="status link" data-status={status} href={href}>
      {text}
    </a>
  )
}
