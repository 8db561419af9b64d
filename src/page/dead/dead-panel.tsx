import { ChevronRight } from 'lucide-react'
import type { ReactNode } from 'react'
import type { DeadLetterCause } from '../../admin/wire.ts'
import type { FilterField } from '../lists/filter-form.tsx'
import { FilterForm } from '../lists/filter-form.tsx'
import { ItemError } from '../lists/item-error.tsx'
import '../lists/lists.css'
import { useFetched } from '../lists/use-fetched.ts'
import { refreshCount } from '../lists/use-list.ts'
import { useRules } from '../lists/use-rules.ts'
import { useLive } from '../live/live-provider.tsx'
import { FailureNote } from '../panel/failure-note.tsx'
import { Panel } from '../panel/panel.tsx'
import type { Filter } from '../route/route.ts'
import { fragmentOf } from '../route/route.ts'
import { navigate } from '../route/use-route.ts'
import { ageText, countText, dateText } from '../text/format.ts'
import { showInvisible } from '../text/show-invisible.ts'
import './dead.css'
import { LettersOfCause } from './letters-of-cause.tsx'

const show = (filter: Filter): void => navigate({ kind: 'list', name: 'dead', filter })

/** The dead letters by cause; with a cause, a key or an id in the filter, the letters themselves. */
export function DeadPanel({ filter }: { filter: Filter }): ReactNode {
  const { cause, ...narrowing } = filter
  const isLetters = [cause, filter['key'], filter['id']].some((each) => each !== undefined)
  const fields: readonly FilterField[] = [
    useRules('consumer', 'Consumer'),
    { name: 'type', label: 'Type', kind: 'text' },
    { name: 'key', label: 'Key', kind: 'text' },
    { name: 'since', label: 'Failed from', kind: 'time' },
    { name: 'until', label: 'Until', kind: 'time' },
  ]
  return (
    <Panel kind="List" title="Dead letters" isWide>
      <p className="list-about">
        Messages whose attempts are used up, or that no retry can help. Each stays in its place,
        with the later events of its key behind it, until you redrive it or discard it.
      </p>
      <FilterForm
        fields={fields}
        filter={narrowing}
        changed={(changed) => show(cause === undefined ? changed : { ...changed, cause })}
      />
      {isLetters ? (
        <LettersOfCause key={JSON.stringify(filter)} filter={filter} />
      ) : (
        <Causes filter={filter} />
      )}
    </Panel>
  )
}

function Causes({ filter }: { filter: Filter }): ReactNode {
  const { overview } = useLive()
  const now = overview?.at ?? 0
  const isNarrowed = Object.keys(filter).length > 0
  const request = useFetched<readonly DeadLetterCause[]>(
    'dead/causes',
    filter,
    refreshCount(overview?.at, isNarrowed),
  )
  if (request.status === 'loading') return <p className="note">Loading…</p>
  if (request.status === 'failed') return <FailureNote refused={request} />
  const causes = request.answer
  if (causes.length === 0)
    return <p className="note">{isNarrowed ? 'None match.' : 'There are no dead letters.'}</p>
  return (
    <section aria-labelledby="causes-title">
      <h3 id="causes-title">By cause</h3>
      <ol className="items">
        {causes.map((each) => (
          <CauseItem
            key={`${each.consumer} ${each.cause}`}
            cause={each}
            filter={filter}
            now={now}
          />
        ))}
      </ol>
    </section>
  )
}

interface CauseItemProps {
  readonly cause: DeadLetterCause
  readonly filter: Filter
  readonly now: number
}

function CauseItem({ cause: each, filter, now }: CauseItemProps): ReactNode {
  const { cause, consumer, types, code, message, count, firstAt, lastAt } = each
  const href = fragmentOf({ kind: 'list', name: 'dead', filter: { ...filter, consumer, cause } })
  return (
    <li className="item dead-cause">
      <a className="dead-cause-link" href={href}>
        <span className="dead-count">
          {countText(count)}
          <span className="only-spoken"> {count === 1 ? 'letter' : 'letters'} at</span>
        </span>
        <span className="dead-consumer">{showInvisible(consumer)}</span>
        <ChevronRight size={14} aria-hidden />
      </a>
      <ItemError code={code} message={message} />
      <p className="item-facts">
        <span className="mono">{types.map(showInvisible).join(', ')}</span>
        {count > 1 && <span title={dateText(firstAt)}>first {ageText(now - firstAt)} ago</span>}
        <span title={dateText(lastAt)}>
          {count > 1 ? 'last' : 'failed'} {ageText(now - lastAt)} ago
        </span>
      </p>
    </li>
  )
}
