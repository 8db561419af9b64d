import { systemClock } from '../base/time/clock.ts'
import type { Issue, Fault, FaultCode } from '../base/errors/fault.ts'
import { FAULTS } from '../base/errors/fault.ts'
import { guardHook } from '../base/errors/guard-hook.ts'
import { createIdGenerator } from '../base/id-generator.ts'
import { systemRandom } from '../base/random.ts'
import { asFault, thrownMessage } from '../base/errors/thrown-error.ts'
import { createWarnOnce } from '../base/errors/warn-once.ts'
import { respond } from './response.ts'

/** Problems that are specific to HTTP, by code. */
export const PROBLEMS = {
  BODY_MALFORMED: { status: 400, title: 'the body is not valid JSON' },
  BODY_TOO_LARGE: { status: 413, title: 'the body is too large' },
  DEADLINE_PASSED: { status: 503, title: 'the request timed out: it may or may not take effect' },
  HEADERS_TOO_LARGE: { status: 431, title: 'the headers are too large' },
  HOST_REFUSED: { status: 421, title: 'the Host header does not name this server' },
  INTERNAL: { status: 500, title: 'an internal error occurred' },
  MEDIA_TYPE_UNSUPPORTED: {
    status: 415,
    title: 'the media type or encoding of the body is not supported',
  },
  METHOD_NOT_ALLOWED: { status: 405, title: 'the path does not support this method' },
  NOT_FOUND: { status: 404, title: 'the resource does not exist' },
  NOTHING_FOUND: { status: 404, title: 'the query has no result' },
  ORIGIN_REFUSED: { status: 403, title: 'cross-origin requests are not allowed' },
  REMOTE_LOOP: { status: 508, title: 'gateways forward the request in a loop' },
  REMOTE_UNREACHABLE: { status: 502, title: 'the gateway of another service did not answer' },
  REQUEST_INVALID: { status: 400, title: 'the request is not valid' },
  REQUEST_SLOW: { status: 408, title: 'the request did not arrive in time' },
  STREAMS_EXHAUSTED: { status: 503, title: 'too many event streams are open' },
  UNAUTHORIZED: { status: 401, title: 'the bearer token is missing or wrong' },
} as const satisfies Record<string, { status: number; title: string }>

export type ProblemCode = keyof typeof PROBLEMS

/** The HTTP status of each fault; 500 for those that are not listed. */
export const FAULT_STATUS: Readonly<Partial<Record<FaultCode, number>>> = {
  APP_STOPPING: 503,
  ARCHIVE_DAMAGED: 500,
  ARCHIVE_MISSING: 500,
  BACKPRESSURE: 429,
  DATA_READ_ONLY: 409,
  EARLIER_NOT_STORED: 503,
  ID_CONFLICT: 409,
  LOG_DAMAGED: 500,
  LOG_FULL: 503,
  LOG_UNKNOWN: 503,
  MESSAGE_INVALID: 400,
  MESSAGE_NOT_FOUND: 404,
  OPERATION_NOT_FOUND: 404,
  OPTION_INVALID: 400,
  PROJECTION_NOT_FOUND: 404,
  QUERY_NOT_ANSWERED: 404,
  REWIND_REFUSED: 409,
  RULE_NOT_FOUND: 404,
  SERVICE_NOT_FOUND: 404,
  STATUS_REFUSED: 409,
  STORE_UNKNOWN: 503,
  TOPIC_NOT_FOUND: 404,
}

/** Statuses whose answers have a `Retry-After` header. */
const RETRYABLE = new Set([408, 429, 502, 503])
const RETRY_AFTER_SECONDS = '1'

/** What a problem contains besides its code. */
export interface ProblemDetails {
  readonly detail: string
  readonly issues?: readonly Issue[]
  /** What to look up, such as the id of a message. */
  readonly ids?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
}

/** A problem details response (RFC 9457, `application/problem+json`). */
export function problem(code: ProblemCode, details: ProblemDetails): Response {
  const { status, title } = PROBLEMS[code]
  return problemResponse(code, status, title, details)
}

function problemResponse(
  code: string,
  status: number,
  title: string,
  { detail, issues = [], ids = {}, headers = {} }: ProblemDetails,
): Response {
  const type = `urn:throughline:problem:${code}`
  const all = {
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
    ...(RETRYABLE.has(status) ? { 'retry-after': RETRY_AFTER_SECONDS } : {}),
    ...headers,
  }
  const body = JSON.stringify({ type, title, status, detail, code, issues, ids })
  return respond(status, all, body)
}

/** Receives an internal error, with the id that the client got. */
export type OnError = (id: string, cause: unknown) => void

/** Converts a thrown value into a problem response. */
export type Problems = (cause: unknown) => Response

/**
 * Converts thrown values into problem responses. Faults without a status of their own, and all other
 * errors, become a 500 whose only detail is an id; `onError` receives the error under that id.
 * Default: a process warning, once per message.
 */
export function problems(onError: OnError = warning()): Problems {
  const mint = createIdGenerator(systemClock(), systemRandom)
  const report = guardHook(onError, (cause) => warning()('onError threw', cause))
  return (cause) => {
    const fault = asFault(cause)
    const status = fault && FAULT_STATUS[fault.code]
    if (fault && status !== undefined)
      return problemResponse(fault.code, status, FAULTS[fault.code].meaning, {
        detail: detailOf(fault),
        issues: fault.issues,
        ids: fault.ids,
      })
    const id = mint()
    report(id, cause)
    const details = { detail: `the error was reported with the id ${id}`, ids: { report: id } }
    if (!fault) return problem('INTERNAL', details)
    return problemResponse(
      fault.code,
      PROBLEMS.INTERNAL.status,
      FAULTS[fault.code].meaning,
      details,
    )
  }
}

/** The detail of a fault: its message without the meaning, the cure and the issues. */
function detailOf({ code, message }: Fault): string {
  const { meaning, cure } = FAULTS[code]
  const [detail = ''] = message
    .slice(`${code}: ${meaning}: `.length, message.length - `\n${cure}.`.length)
    .split('\n  - ')
  return detail
}

function warning(): OnError {
  const warn = createWarnOnce()
  // The same error counts as the same warning, whatever its id.
  return (id, cause) => warn(`${thrownMessage(cause).split('\n', 1)[0]}\n  reported as ${id}`)
}
