import type { Clock } from '../base/clock.ts'
import type { Complaint } from '../base/fault.ts'
import { Fault } from '../base/fault.ts'
import type { OperationState, FoundOperation } from '../engine/operations.ts'
import type { HttpAnswer, HttpRequest } from '../http/message.ts'
import { json } from '../http/message.ts'
import { problem } from '../http/problem.ts'
import type { StreamEvent } from '../http/stream.ts'
import { eventStream } from '../http/stream.ts'

/** Longest `?wait`, in seconds. */
const WAIT_SECONDS_MAX = 60
const SECOND_MS = 1_000
const FRESH = { 'cache-control': 'no-store' }

export const operationPath = (id: string): string => `/operations/${encodeURIComponent(id)}`

/** The `wait` of a query string in milliseconds, or a problem if it is invalid. */
export function waitOf(query: URLSearchParams): number | HttpAnswer {
  const text = query.get('wait')
  if (text === null) return 0
  const seconds = Number(text)
  if (/^\d{1,2}$/.test(text) && seconds <= WAIT_SECONDS_MAX) return seconds * SECOND_MS
  const complaints = [
    { path: 'wait', message: `must be a whole number of seconds from 0 to ${WAIT_SECONDS_MAX}` },
  ]
  return problem('REQUEST_INVALID', { detail: 'the query string', complaints })
}

/** The states that a client may wait for. */
const UNTIL = ['accepted', 'projected', 'settled'] as const
export type Until = (typeof UNTIL)[number]

/** Reads the state that a request waits for, or returns the answer to an invalid one. */
export function untilOf(query: URLSearchParams): Until | HttpAnswer {
  const text = query.get('until') ?? 'settled'
  const until = UNTIL.find((each) => each === text)
  if (until) return until
  const complaints = [{ path: 'until', message: `must be one of ${UNTIL.join(', ')}` }]
  return problem('REQUEST_INVALID', { detail: 'the query string', complaints })
}

/** Whether the `Accept` header names an event stream and does not prefer JSON. */
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

/** Answers with an operation: its current state, its state after `?wait`, or a stream of changes. */
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
  // The state is read below; whether it is projected needs a check of its own.
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

/** Whether the operation reaches `until` before the time is up. */
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

/** An operation as clients see it. */
export interface OperationView {
  readonly id: string
  /** `pending`, `completed`, `refused`, or the outcome of a saga, such as `rolled-back`. */
  readonly is: string
  /** For a pending operation: whether its command's unit has committed. */
  readonly isAccepted?: boolean
  /** With `until=projected`: whether projections have folded what it published. */
  readonly isProjected?: boolean
  readonly reason?: string
  readonly code?: string
  readonly complaints?: readonly Complaint[]
  /** The wire name of the command. */
  readonly command: string
}

function viewOf({ id, command }: FoundOperation, state: OperationState): OperationView {
  return { ...state, id, command: command.wire }
}
