import { systemClock } from '../base/time/clock.ts'
import type { Issue, Fault, FaultCode } from '../base/errors/fault.ts'
import { FAULTS } from '../base/errors/fault.ts'
import { guardHook } from '../base/errors/guard-hook.ts'
import { createIdGenerator } from '../base/id-generator.ts'
import { systemRandom } from '../base/random.ts'
import { asFault, thrownMessage } from '../base/errors/thrown-error.ts'
import { createWarnOnce } from '../base/errors/warn-once.ts'
import { respond } from './response.ts'

/** Problems that only HTTP knows, by code. */
export const PROBLEMS = {
  BODY_MALFORMED: { status: 400, title: 'the body is not JSON' },
  BODY_TOO_LARGE: { status: 413, title: 'the body is too large' },
  DEADLINE_PASSED: { status: 503, title: 'it took too long: it may or may not take effect' },
  HEADERS_TOO_LARGE: { status: 431, title: 'the headers are too large' },
  HOST_REFUSED: { status: 421, title: 'this is not the host that the request names' },
  INTERNAL: { status: 500, title: 'an internal error' },
  MEDIA_TYPE_UNSUPPORTED: { status: 415, title: 'the body must be JSON' },
  METHOD_NOT_ALLOWED: { status: 405, title: 'this path has other methods' },
  NOT_FOUND: { status: 404, title: 'there is nothing here' },
  NOTHING_FOUND: { status: 404, title: 'the answer is that there is none' },
  ORIGIN_REFUSED: { status: 403, title: 'a page of another origin may not do this' },
  REMOTE_LOOP: { status: 508, title: 'gateways forward this request in a circle' },
  REMOTE_UNREACHABLE: { status: 502, title: 'the gateway of another service did not answer' },
  REQUEST_INVALID: { status: 400, title: 'the request is not as it must be' },
  REQUEST_SLOW: { status: 408, title: 'the request did not arrive in time' },
  STREAMS_EXHAUSTED: { status: 503, title: 'too many streams are open' },
  UNAUTHORIZED: { status: 401, title: 'a token is needed' },
} as const satisfies Record<string, { status: number; title: string }>

export type ProblemCode = keyof typeof PROBLEMS

/** What HTTP says of a fault; one that is not listed is the server's own, 500. */
export const FAULT_STATUS: Readonly<Partial<Record<FaultCode, number>>> = {
  APP_STOPPING: 503,
  ARCHIVE_DAMAGED: 500,
  ARCHIVE_MISSING: 500,
  BACKPRESSURE: 429,
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
  STORE_UNKNOWN: 503,
  TOPIC_NOT_FOUND: 404,
}

/** Answers of these statuses say when to come again. */
const RETRIED = new Set([408, 429, 502, 503])
const RETRY_AFTER_SECONDS = '1'

/** What a problem tells beside its code. */
export interface ProblemDetails {
  readonly detail: string
  readonly issues?: readonly Issue[]
  /** The ids by which the matter can be looked up. */
  readonly ids?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
}

/** A refusal by RFC 9457, `application/problem+json`. */
export function problem(code: ProblemCode, details: ProblemDetails): Response {
  const { status, title } = PROBLEMS[code]
  return answerOf(code, status, title, details)
}

function answerOf(
  code: string,
  status: number,
  title: string,
  { detail, issues = [], ids = {}, headers = {} }: ProblemDetails,
): Response {
  const type = `urn:throughline:problem:${code}`
  const all = {
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
    ...(RETRIED.has(status) ? { 'retry-after': RETRY_AFTER_SECONDS } : {}),
    ...headers,
  }
  const body = JSON.stringify({ type, title, status, detail, code, issues, ids })
  return respond(status, all, body)
}

/** Hears what onError, under the id that the client was given. */
export type OnError = (id: string, cause: unknown) => void

/** What was thrown, as an answer. */
export type Problems = (cause: unknown) => Response

/**
 * Makes answers of what is thrown. A fault that has no status of its own, and whatever else is
 * thrown, is a 500 that says no more than an id; the rest is told to `onError` under that id.
 * Default: a warning of the process, once a text.
 */
export function problems(onError: OnError = warning()): Problems {
  const mint = createIdGenerator(systemClock(), systemRandom)
  const report = guardHook(onError, (cause) => warning()('the hook broke', cause))
  return (cause) => {
    const fault = asFault(cause)
    const status = fault && FAULT_STATUS[fault.code]
    if (fault && status !== undefined)
      return answerOf(fault.code, status, FAULTS[fault.code].meaning, {
        detail: detailOf(fault),
        issues: fault.issues,
        ids: fault.ids,
      })
    const id = mint()
    report(id, cause)
    const details = { detail: `it was reported as ${id}`, ids: { report: id } }
    if (!fault) return problem('INTERNAL', details)
    return answerOf(fault.code, PROBLEMS.INTERNAL.status, FAULTS[fault.code].meaning, details)
  }
}

/** What a fault says of this one case, without what every fault of its code says. */
function detailOf({ code, message }: Fault): string {
  const { meaning, cure } = FAULTS[code]
  const [detail = ''] = message
    .slice(`${code}: ${meaning}: `.length, message.length - `\n${cure}.`.length)
    .split('\n  - ')
  return detail
}

function warning(): OnError {
  const warn = createWarnOnce()
  return (id, cause) => warn(`${id}: ${thrownMessage(cause)}`)
}
