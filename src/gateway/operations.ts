import type { Clock } from '../base/clock.ts'
import type { OperationState, FoundOperation } from '../engine/operations.ts'
import { problem } from '../http/problem.ts'
import { json } from '../http/response.ts'
import type { RouteCall } from '../http/routes.ts'
import type { StreamEvent } from '../http/stream.ts'
import { eventStream } from '../http/stream.ts'

/** Longest that a client may wait for an operation, in seconds. */
const WAIT_SECONDS_MAX = 60
const SECOND_MS = 1_000
const FRESH = { 'cache-control': 'no-store' }

export const operationPath = (id: string): string => `/operations/${encodeURIComponent(id)}`

/** How long a request wants to wait, or why it may not. */
export function waitOf(query: URLSearchParams): number | Response {
  const text = query.get('wait')
  if (text === null) return 0
  const seconds = Number(text)
  if (/^\d{1,2}$/.test(text) && seconds <= WAIT_SECONDS_MAX) return seconds * SECOND_MS
  const complaints = [
    { path: 'wait', message: `must be whole seconds from 0 to ${WAIT_SECONDS_MAX}` },
  ]
  return problem('REQUEST_INVALID', { detail: 'the query string', complaints })
}

/** Whether a request accepts a stream by name, and JSON no better. */
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

/** What an operation has come to: at once, when it is settled, or as a stream of its changes. */
export async function answerOperation(
  { request, url }: RouteCall,
  operation: FoundOperation,
  clock: Clock,
): Promise<Response> {
  const { signal } = request
  if (wantsStream(request)) return eventStream(changesOf(operation, signal), { clock, signal })
  const waitMs = waitOf(url.searchParams)
  if (typeof waitMs !== 'number') return waitMs
  const state =
    waitMs === 0 ? await operation.look() : await settledWithin(operation, waitMs, signal, clock)
  return json(200, viewOf(operation, state), FRESH)
}

/** Settled, or how things stand once the time is up. */
async function settledWithin(
  operation: FoundOperation,
  waitMs: number,
  gone: AbortSignal,
  clock: Clock,
): Promise<OperationState> {
  const up = new AbortController()
  const cancel = clock.after(waitMs, () => up.abort())
  const signal = AbortSignal.any([up.signal, gone])
  try {
    return await operation.settled({ signal })
  } catch (cause) {
    if (signal.aborted) return operation.look()
    throw cause
  } finally {
    cancel()
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
  readonly reason?: string
  readonly code?: string
  readonly complaints?: readonly string[]
  /** The wire name of the command. */
  readonly command: string
}

function viewOf({ id, command }: FoundOperation, state: OperationState): OperationView {
  return { ...state, id, command: command.wire }
}
