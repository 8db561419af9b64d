import { CircleCheck, CircleDashed, CircleDot, CircleX } from 'lucide-react'
import type { ReactNode } from 'react'
import { useEffect, useMemo, useState } from 'react'
import type { ChainEvent, ChainView } from '../../admin/wire.ts'
import type { RequestState } from '../live/api.ts'
import { fetchChain } from '../live/api.ts'
import { useLive } from '../live/live-provider.tsx'
import { HeldItem } from '../lists/held-item.tsx'
import { Waits } from '../lists/waits.tsx'
import { Panel } from '../panel/panel.tsx'
import { FailureNote } from '../panel/failure-note.tsx'
import { durationText, manyText, shortId, timeText } from '../text/format.ts'
import { showInvisible } from '../text/show-invisible.ts'
import './chain.css'
import { ChainStep } from './chain-step.tsx'
import { treeOf } from './tree.ts'

/** Refresh intervals. The search reads more records the older the conversation is. */
const ASK_AGAIN_MS = { soon: 3_000, late: 15_000 } as const
const LATE_MS = 60_000

export function ChainPanel({ id }: { id: string }): ReactNode {
  const asked = useChain(id)
  return (
    <Panel kind="Conversation" title={titleOf(asked, id)} isWide>
      {asked.status === 'loading' && <p className="note">Searching…</p>}
      {asked.status === 'failed' && (
        <div className="chain-missing">
          <p className="empty-title">
            {asked.httpStatus === 404 ? 'No event has this id' : 'The event could not be loaded'}
          </p>
          <p className="mono">{showInvisible(id)}</p>
          {asked.httpStatus !== 404 && <FailureNote refused={asked} />}
        </div>
      )}
      {asked.status === 'loaded' && <Chain chain={asked.answer} id={id} />}
    </Panel>
  )
}

/** Fetches the chain, and again every few seconds until its outcome is final. */
function useChain(id: string): RequestState<ChainView> {
  const { overview } = useLive()
  const [asked, setAsked] = useState<RequestState<ChainView>>({ status: 'loading' })
  const isSettled = isSettledIn(asked)
  const now = overview?.at ?? 0
  const began = asked.status === 'loaded' ? asked.answer.events[0]?.at : undefined
  const isLate = began !== undefined && now - began > LATE_MS
  const refreshCount = isSettled ? 0 : Math.floor(now / ASK_AGAIN_MS[isLate ? 'late' : 'soon'])
  useEffect(() => {
    if (isSettled) return
    let isCurrent = true
    void fetchChain(id).then((answer) => {
      if (isCurrent) setAsked(answer)
    })
    return () => {
      isCurrent = false
    }
  }, [id, refreshCount, isSettled])
  return asked
}

function isSettledIn(asked: RequestState<ChainView>): boolean {
  if (asked.status === 'failed') return asked.httpStatus === 404
  if (asked.status === 'loading') return false
  const { operation, events, held } = asked.answer
  if (held.length > 0 || events.some(isOpenSomewhere)) return false
  return operation === undefined || operation.kind !== 'pending'
}

const isOpenSomewhere = ({ consumers = [] }: ChainEvent): boolean =>
  consumers.some(({ status, resolution }) => status !== 'COMPLETED' && resolution === undefined)

function titleOf(asked: RequestState<ChainView>, id: string): string {
  if (asked.status !== 'loaded') return shortId(id)
  return treeOf(asked.answer).rows[0]?.event.type ?? shortId(id)
}

function Chain({ chain, id }: { chain: ChainView; id: string }): ReactNode {
  const tree = useMemo(() => treeOf(chain), [chain])
  const [first] = tree.rows
  const services = new Set(chain.events.map(({ source }) => source).filter((one) => one !== 'door'))
  return (
    <>
      <Outcome chain={chain} />
      <Held held={chain.held} />
      <dl className="facts">
        <Fact name="Steps" value={String(tree.rows.length)} />
        <Fact name="Duration" value={durationText(tree.totalMs)} />
        <Fact name="Services" value={String(services.size)} />
        <Fact name="Started" value={first ? timeText(first.event.at) : '–'} />
      </dl>
      <section aria-labelledby="steps-title">
        <h3 id="steps-title">Messages by cause</h3>
        <ol className="steps">
          {tree.rows.map((row) => (
            <ChainStep
              key={row.event.id}
              row={row}
              lanes={tree.lanes}
              totalMs={tree.totalMs}
              isAskedFor={row.event.id === id}
            />
          ))}
        </ol>
      </section>
      {!chain.isComplete && (
        <p className="callout" data-tone="paused">
          The search stopped at its limit of records. There may be more than these{' '}
          {manyText(tree.rows.length, 'step')}.
        </p>
      )}
    </>
  )
}

function Fact({ name, value }: { name: string; value: string }): ReactNode {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  )
}

const OUTCOME_ICONS = {
  pending: CircleDashed,
  completed: CircleCheck,
  refused: CircleX,
  failed: CircleX,
  finished: CircleDot,
} as const

/** The keys that hold messages of the conversation. */
function Held({ held }: { held: ChainView['held'] }): ReactNode {
  const { overview } = useLive()
  if (held.length === 0) return null
  return (
    <section aria-labelledby="held-title">
      <h3 id="held-title">Held</h3>
      <ol className="items">
        {held.map((each) => (
          <HeldItem key={`${each.consumer} ${each.key}`} held={each} now={overview?.at ?? 0} />
        ))}
      </ol>
    </section>
  )
}

function Outcome({ chain: { operation, waitsFor } }: { chain: ChainView }): ReactNode {
  const { overview } = useLive()
  if (!operation) return null
  const Icon = OUTCOME_ICONS[operation.kind]
  return (
    <div className="outcome" data-kind={operation.kind}>
      <Icon size={16} aria-hidden />
      <p>
        <strong>{showInvisible(operation.status).replaceAll('-', ' ')}</strong>
        {operation.reason && <span>{showInvisible(operation.reason)}</span>}
      </p>
      <Waits waitsFor={waitsFor} now={overview?.at ?? 0} />
      {operation.issues && operation.issues.length > 0 && (
        <ul className="outcome-complaints">
          {operation.issues.map(({ path, message }, index) => (
            <li key={index}>{showInvisible(path === '' ? message : `${path}: ${message}`)}</li>
          ))}
        </ul>
      )}
    </div>
  )
}
