import type { Clock } from '../base/clock.ts'
import { Fault } from '../base/fault.ts'
import type { OperationState, FoundOperation } from '../engine/operations.ts'
import type { HttpAnswer, HttpRequest } from '../http/message.ts'
import { json } from '../http/message.ts'
import { problem } from '../http/problem.ts'
import type { StreamEvent } from '../http/stream.ts'
import { eventStream } from '../http/stream.ts'

/** Longest that a client may wait for an operation, in seconds. */
const WAIT_SECONDS_MAX = 60
const SECOND_MS = 1_000
const FRESH = { 'cache-control': 'no-store' }

export const operationPath = (id: string): string => `/operations/${encodeURIComponent(id)}`

/** How long a request wants to wait, or why it may not. */
export function waitOf(query: URLSearchParams): number | HttpAnswer {
  const text = query.get('wait')
  if (text === null) return 0
  const seconds = Number(text)
  if (/^\d{1,2}$/.test(text) && seconds <= WAIT_SECONDS_MAX) return seconds * SECOND_MS
  const complaints = [
    { path: 'wait', message: `must be whole seconds from 0 to ${WAIT_SECONDS_MAX}` },
  ]
  return problem('REQUEST_INVALID', { detail: 'the query string', complaints })
}

/** What a client may wait for. */
const UNTIL = ['accepted', 'projected', 'settled'] as const
export type Until = (typeof UNTIL)[number]

/** Until when a request wants to wait, or why it may not. */
export function untilOf(query: URLSearchParams): Until | HttpAnswer {
  const text = query.get('until') ?? 'settled'
  const until = UNTIL.find((each) => each === text)
  if (until) return until
  const complaints = [{ path: 'until', message: `must be one of ${UNTIL.join(', ')}` }]
  return problem('REQUEST_INVALID', { detail: 'the query string', complaints })
}

/** Whether a request accepts a stream by name, and JSON no better. */
export function wantsStream(request: HttpRequest): boolean {
  const weights = new Map(
    (request.header('accept') ?? '').split(',').map((range) => {
      const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase())
      const weight = parameters.find((part) => part.startsWith('q='))
      return [type, weight === undefined ? 1 : Number(weight.slice(2))] as const
    }),
  )
  const stream = weights.get('text/event-stream') ?? 0
  return stream > 0 && stream >= (weights.get('application/json') ?? 0)
}

/** What an operation has come to: at once, when it has come so far, or as a stream of its changes. */
export async function answerOperation(
  request: HttpRequest,
  operation: FoundOperation,
  clock: Clock,
): Promise<HttpAnswer> {
  const { signal } = request
  if (wantsStream(request)) return eventStream(changesOf(operation, signal), { clock, signal })
  const waitMs = waitOf(request.query)
  if (typeof waitMs !== 'number') return waitMs
  const until = untilOf(request.query)
  if (typeof until !== 'string') return until
  // How it stands is looked up below; whether it is projected takes a look of its own.
  const isAsked = waitMs > 0 || until === 'projected'
  const hasCome = isAsked && (await comesTo(operation, until, { waitMs, gone: signal, clock }))
  const view = viewOf(operation, await operation.look())
  return json(200, until === 'projected' ? { ...view, isProjected: hasCome } : view, FRESH)
}

interface Waiting {
  readonly waitMs: number
  readonly gone: AbortSignal
  readonly clock: Clock
}

/** Whether it has come so far before the time is up. */
async function comesTo(
  operation: FoundOperation,
  until: Until,
  { waitMs, gone, clock }: Waiting,
): Promise<boolean> {
  const up = new AbortController()
  const cancel = waitMs > 0 ? clock.after(waitMs, () => up.abort()) : up.abort()
  const signal = AbortSignal.any([up.signal, gone])
  try {
    await operation[until]({ signal })
    return true
  } catch (cause) {
    if (!signal.aborted || (cause instanceof Fault && cause.code !== 'NOT_PROJECTED')) throw cause
    return false
  } finally {
    cancel?.()
  }
}

async function* changesOf(
  operation: FoundOperation,
  signal: AbortSignal,
): AsyncGenerator<StreamEvent, void, void> {
  let state = await operation.look()
  yield { event: 'operation', data: viewOf(operation, state) }
  if (state.is !== 'pending') return
  try {
    if (!state.isAccepted) {
      await operation.accepted({ signal })
      state = await operation.look()
      yield { event: 'operation', data: viewOf(operation, state) }
      if (state.is !== 'pending') return
    }
    state = await operation.settled({ signal })
  } catch (cause) {
    if (signal.aborted) return
    throw cause
  }
  yield { event: 'operation', data: viewOf(operation, state) }
}

/** What a client is told of an operation. */
export interface OperationView {
  readonly id: string
  /** `pending`, `completed`, `refused`, or as its saga has finished: `rolled-back`, … */
  readonly is: string
  /** Of a pending one: whether its command's unit has committed. */
  readonly isAccepted?: boolean
  /** Where that was asked for: whether projections have folded what it has published. */
  readonly isProjected?: boolean
  readonly reason?: string
  readonly code?: string
  readonly complaints?: readonly string[]
  /** The wire name of the command. */
  readonly command: string
}

function viewOf({ id, command }: FoundOperation, state: OperationState): OperationView {
  return { ...state, id, command: command.wire }
}
