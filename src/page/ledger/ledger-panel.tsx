import type { ReactNode } from 'react'
import type { LedgerRow } from '../../admin/wire.ts'
import type { FilterField } from '../lists/filter-form.tsx'
import { ListPanel } from '../lists/list-panel.tsx'
import { useRules } from '../lists/use-rules.ts'
import type { Filter } from '../route/route.ts'
import { fragmentOf } from '../route/route.ts'
import { ageText, dateText, dueText, manyText } from '../text/format.ts'
import { showInvisible } from '../text/show-invisible.ts'
import './ledger.css'
import { StatusBadge } from './status-badge.tsx'

const FIELDS: Readonly<Record<'view' | 'status' | 'type' | 'event', FilterField>> = {
  view: {
    name: 'view',
    label: 'View',
    kind: 'choice',
    choices: [
      ['', 'All'],
      ['inbound', 'Inbound'],
      ['request', 'Request'],
      ['response', 'Response'],
    ],
  },
  status: {
    name: 'status',
    label: 'Status',
    kind: 'choice',
    choices: [
      ['', 'All'],
      ...['UNPROCESSED', 'IN_PROGRESS', 'COMPLETED', 'ERROR', 'RETRY', 'FAILED'].map(
        (status) => [status, status] as const,
      ),
    ],
  },
  type: { name: 'type', label: 'Message type', kind: 'text' },
  event: { name: 'event', label: 'Event id', kind: 'text' },
}

/** The status of each event at each consumer. */
export function LedgerPanel({ filter }: { readonly filter: Filter }): ReactNode {
  const consumer = useRules('consumer', 'Consumer')
  return (
    <ListPanel<LedgerRow>
      name="ledger"
      title="Ledger"
      about="The status of each event at each consumer, the newest event first."
      empty="No events match."
      fields={[FIELDS.view, FIELDS.status, consumer, FIELDS.type, FIELDS.event]}
      filter={withoutOtherViews(filter)}
      words={['Newer', 'Older']}
      item={(row, now) => (
        <LedgerItem
          key={`${row.consumer} ${row.topic}/${row.partition}@${row.offset}`}
          row={row}
          now={now}
        />
      )}
    />
  )
}

/** The API has views with other columns, which this list cannot show. */
function withoutOtherViews(filter: Filter): Filter {
  const { view, ...others } = filter
  const isShown = FIELDS.view.choices?.some(([value]) => value === view) ?? false
  return isShown ? filter : others
}

function LedgerItem({ row, now }: { row: LedgerRow; now: number }): ReactNode {
  const { EVENT_ID: id, MESSAGE_TYPE: type, STATUS: status, consumer, attempts, due, error } = row
  const updatedAt = atOf(row.UPDATED_DTTM)
  return (
    <li className="item">
      <p className="item-head">
        <a className="link mono" href={fragmentOf({ kind: 'event', id })}>
          {showInvisible(type)}
        </a>
        <StatusBadge status={status} resolution={row.resolution} letter={{ consumer, id }} />
        <span>at {showInvisible(consumer)}</span>
        {updatedAt !== undefined && (
          <span className="item-aside">{ageText(now - updatedAt)} ago</span>
        )}
      </p>
      <p className="item-facts mono">{showInvisible(id)}</p>
      <p className="item-facts">
        <span>
          created by {byText(row.CREATED_BY)}, <Time iso={row.CREATED_DTTM} />
        </span>
        <span>
          updated by {byText(row.UPDATED_BY)}, <Time iso={row.UPDATED_DTTM} />
        </span>
      </p>
      {(attempts > 0 || due !== null) && (
        <p className="item-facts">
          {attempts > 0 && <span>{manyText(attempts, 'failed attempt')}</span>}
          {due !== null && <span>next attempt {dueText(Date.parse(due), now)}</span>}
        </p>
      )}
      {error !== null && <p className="item-error">{showInvisible(error)}</p>}
    </li>
  )
}

const atOf = (iso: string | null): number | undefined =>
  iso === null ? undefined : Date.parse(iso)

/** A record that was archived or compacted no longer says who created it. */
function byText(service: string | null): string {
  if (service === null) return 'a service that is no longer stored'
  return service === 'door' ? 'a client outside' : showInvisible(service)
}

/** A time to the second; its exact value on demand. */
function Time({ iso }: { iso: string | null }): ReactNode {
  const at = atOf(iso)
  if (at === undefined || iso === null) return 'at an unknown time'
  return (
    <time dateTime={iso} title={iso}>
      {dateText(at)}
    </time>
  )
}
