import type { Clock } from '../../base/time/clock.ts'
import type { Issue } from '../../base/errors/fault.ts'
import { Fault } from '../../base/errors/fault.ts'
import type { OperationState, FoundOperation } from '../../engine/producer/index.ts'
import { problem } from '../../http/problem.ts'
import { json } from '../../http/response.ts'
import type { RouteCall } from '../../http/routes.ts'
import type { StreamEvent } from '../../http/stream.ts'
import { eventStream } from '../../http/stream.ts'

/** Longest `?wait`, in seconds. */
const WAIT_SECONDS_MAX = 60
const SECOND_MS = 1_000
const NO_STORE = { 'cache-control': 'no-store' }

export const operationPath = (id: string): string => `/operations/${encodeURIComponent(id)}`

/** The `wait` of a query string in milliseconds, or a problem if it is invalid. */
export function waitMsOf(query: URLSearchParams): number | Response {
  const text = query.get('wait')
  if (text === null) return 0
  const seconds = Number(text)
  if (/^\d{1,2}$/.test(text) && seconds <= WAIT_SECONDS_MAX) return seconds * SECOND_MS
  const issues = [
    { path: 'wait', message: `must be a whole number of seconds from 0 to ${WAIT_SECONDS_MAX}` },
  ]
  return problem('REQUEST_INVALID', { detail: 'the query string', issues })
}

/** The states that a client may wait for. */
const UNTIL = ['accepted', 'projected', 'settled'] as const
export type Until = (typeof UNTIL)[number]

/** Reads the state that a request waits for, or returns the answer to an invalid one. */
export function untilOf(query: URLSearchParams): Until | Response {
  const text = query.get('until') ?? 'settled'
  const until = UNTIL.find((each) => each === text)
  if (until) return until
  const issues = [{ path: 'until', message: `must be one of ${UNTIL.join(', ')}` }]
  return problem('REQUEST_INVALID', { detail: 'the query string', issues })
}

/** Whether the `Accept` header names an event stream and does not prefer JSON. */
export function wantsStream(request: Request): boolean {
  const weights = new Map(
    (request.headers.get('accept') ?? '').split(',').map((range) => {
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
  { request, url }: RouteCall,
  operation: FoundOperation,
  clock: Clock,
): Promise<Response> {
  const { signal } = request
  if (wantsStream(request))
    return eventStream(operationEvents(operation, signal), { clock, signal })
  const waitMs = waitMsOf(url.searchParams)
  if (typeof waitMs !== 'number') return waitMs
  const until = untilOf(url.searchParams)
  if (typeof until !== 'string') return until
  // The state is read below; whether it is projected needs a check of its own.
  const isAsked = waitMs > 0 || until === 'projected'
  const hasCome = isAsked && (await comesTo(operation, until, { waitMs, gone: signal, clock }))
  const view = operationView(operation, await operation.state())
  return json(200, until === 'projected' ? { ...view, isProjected: hasCome } : view, NO_STORE)
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

async function* operationEvents(
  operation: FoundOperation,
  signal: AbortSignal,
): AsyncGenerator<StreamEvent, void, void> {
  let state = await operation.state()
  yield { event: 'operation', data: operationView(operation, state) }
  if (state.status !== 'pending') return
  try {
    if (!state.isAccepted) {
      await operation.accepted({ signal })
      state = await operation.state()
      yield { event: 'operation', data: operationView(operation, state) }
      if (state.status !== 'pending') return
    }
    state = await operation.settled({ signal })
  } catch (cause) {
    if (signal.aborted) return
    throw cause
  }
  yield { event: 'operation', data: operationView(operation, state) }
}

/** An operation as clients see it. */
export interface OperationView {
  readonly id: string
  /**
   * `pending`, `completed`, `refused`, `failed` if its command is a dead letter, or the outcome of a
   * saga, such as `rolled-back`. A redrive can still decide a command that has failed.
   */
  readonly status: string
  /** For a pending operation: whether its command's unit has committed. */
  readonly isAccepted?: boolean
  /** With `until=projected`: whether projections have folded what it published. */
  readonly isProjected?: boolean
  /** Of a command that has failed: the text of the error. Of an outcome of a saga: its reason. */
  readonly reason?: string
  /** The code of the refusal, or that of the error of a command that has failed, if it has one. */
  readonly code?: string
  readonly issues?: readonly Issue[]
  /** The wire name of the command. */
  readonly command: string
}

function operationView({ id, command }: FoundOperation, state: OperationState): OperationView {
  return { ...state, id, command: command.wire }
}
