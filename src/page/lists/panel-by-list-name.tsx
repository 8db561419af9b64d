import type { ReactNode } from 'react'
import type { HeldKey, OpenSaga, OperationEntry, TimerEntry } from '../../admin/wire.ts'
import { DeadPanel } from '../dead/dead-panel.tsx'
import { LedgerPanel } from '../ledger/ledger-panel.tsx'
import type { Filter, ListName } from '../route/route.ts'
import { ageText, dateText, dueText, manyText } from '../text/format.ts'
import { showInvisible } from '../text/show-invisible.ts'
import type { FilterField } from './filter-form.tsx'
import { useRules } from './use-rules.ts'
import { HeldItem } from './held-item.tsx'
import { ListPanel } from './list-panel.tsx'
import { Waits } from './waits.tsx'

const KEY: FilterField = { name: 'key', label: 'Key', kind: 'text' }

interface Props {
  readonly filter: Filter
}

function HeldPanel({ filter }: Props): ReactNode {
  return (
    <ListPanel<HeldKey>
      name="held"
      title="Held keys"
      about="Keys whose first event has failed. Their later events wait in order; other keys continue."
      empty="No keys are held."
      fields={[useRules('consumer', 'Consumer'), KEY]}
      filter={filter}
      words={['Back', 'More']}
      item={(held, now) => <HeldItem key={`${held.consumer} ${held.key}`} held={held} now={now} />}
    />
  )
}

const STATES = [
  ['', 'All'],
  ['pending', 'Pending'],
  ['completed', 'Completed'],
  ['refused', 'Refused'],
  ['failed', 'Failed'],
  ['finished', 'Finished by a saga'],
] as const

function OperationsPanel({ filter }: Props): ReactNode {
  const { state = '' } = filter
  const isOwn = !STATES.some(([value]) => value === state)
  const states: FilterField = {
    name: 'state',
    label: 'State',
    kind: 'choice',
    choices: isOwn ? [...STATES, [state, showInvisible(state)]] : STATES,
  }
  return (
    <ListPanel<OperationEntry>
      name="operations"
      title="Operations"
      about="Commands from outside with their state, newest first."
      empty="No operations match."
      fields={[
        states,
        { name: 'type', label: 'Command', kind: 'text' },
        KEY,
        { name: 'since', label: 'From', kind: 'time' },
        { name: 'until', label: 'Until', kind: 'time' },
      ]}
      filter={filter}
      words={['Newer', 'Older']}
      item={(operation, now) => (
        <OperationItem
          key={`${operation.command} ${operation.id}`}
          operation={operation}
          now={now}
        />
      )}
    />
  )
}

function OperationItem({ operation, now }: { operation: OperationEntry; now: number }): ReactNode {
  const { id, command, key, at, state, waitsFor } = operation
  const { kind, status, reason } = state
  return (
    <li className="item">
      <p className="item-head">
        <a className="link mono" href={`#/event/${encodeURIComponent(id)}`}>
          {showInvisible(command)}
        </a>
        <span className="mono">{showInvisible(key)}</span>
        <span className="state" data-kind={kind}>
          {showInvisible(status).replaceAll('-', ' ')}
        </span>
        {reason !== undefined && <span>{showInvisible(reason)}</span>}
        <span className="item-aside" title={dateText(at)}>
          {ageText(now - at)} ago
        </span>
      </p>
      <Waits waitsFor={waitsFor} now={now} />
    </li>
  )
}

function SagasPanel({ filter }: Props): ReactNode {
  return (
    <ListPanel<OpenSaga>
      name="sagas"
      title="Open sagas"
      about="Saga instances that have not finished, oldest first, and what each waits for."
      empty="No saga instances are open."
      fields={[
        useRules('saga', 'Saga', 'saga'),
        { name: 'operation', label: 'Operation', kind: 'text' },
      ]}
      filter={filter}
      words={['Older', 'Newer']}
      item={(open, now) => {
        const { saga, instance, operation, since, waitsFor } = open
        return (
          <li key={`${saga} ${instance}`} className="item">
            <p className="item-head">
              <a className="link mono" href={`#/event/${encodeURIComponent(operation)}`}>
                {showInvisible(instance)}
              </a>
              <span>{showInvisible(saga)}</span>
              {since !== undefined && (
                <span className="item-aside" title={dateText(since)}>
                  open for {ageText(now - since)}
                </span>
              )}
            </p>
            <Waits waitsFor={waitsFor} now={now} />
          </li>
        )
      }}
    />
  )
}

function TimersPanel({ filter }: Props): ReactNode {
  return (
    <ListPanel<TimerEntry>
      name="timers"
      title="Timers"
      about="Messages that sagas will send later, in due order."
      empty="No timers are set."
      fields={[
        useRules('saga', 'Saga', 'saga'),
        { name: 'until', label: 'Due before', kind: 'time' },
      ]}
      filter={filter}
      words={['Sooner', 'Later']}
      item={({ saga, instance, type, dueAt, attempts }, now) => (
        <li key={`${saga} ${instance} ${type} ${dueAt}`} className="item">
          <p className="item-head">
            <strong className="mono">{showInvisible(type)}</strong>
            <span className="mono">{showInvisible(instance)}</span>
            <span>{showInvisible(saga)}</span>
            {attempts > 0 && (
              <span className="item-bad">{manyText(attempts, 'failed attempt')}</span>
            )}
            <span className="item-aside" title={dateText(dueAt)}>
              {dueAt > now ? dueText(dueAt, now) : `overdue by ${ageText(now - dueAt)}`}
            </span>
          </p>
        </li>
      )}
    />
  )
}

const PANELS = {
  ledger: LedgerPanel,
  held: HeldPanel,
  dead: DeadPanel,
  operations: OperationsPanel,
  sagas: SagasPanel,
  timers: TimersPanel,
} as const satisfies Record<ListName, (props: Props) => ReactNode>

export function PanelByListName({ name, filter }: { name: ListName; filter: Filter }): ReactNode {
  const Named = PANELS[name]
  return <Named filter={filter} />
}
