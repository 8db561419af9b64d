// W3C Trace Context: https://www.w3.org/TR/trace-context/
import type { Issue } from '../base/errors/fault.ts'

/** The W3C trace context of a message, propagated unchanged. */
export interface TraceContext {
  readonly traceparent?: string
  /** Only present with a `traceparent`. */
  readonly tracestate?: string
}

/** The two header values before validation. */
interface TraceHeaders {
  readonly traceparent?: unknown
  readonly tracestate?: unknown
}

const IDS = '(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}'
/** Trace id, parent id and flags; versions after 00 may append further fields. */
const TRACEPARENT = new RegExp(`^(?:00-${IDS}|(?!00|ff)[0-9a-f]{2}-${IDS}(?:-[!-~]{0,200})?)$`)

const isTraceparent = (value: unknown): value is string =>
  typeof value === 'string' && TRACEPARENT.test(value)

/** `key=value`: printable ASCII without `,` and `=` in the value, which does not end with a space. */
const MEMBER = /^[a-z0-9][a-z0-9_\-*/@]{0,255}=[ -+\--<>-~]{0,255}[!-+\--<>-~]$/
const MEMBERS_MAX = 32
/** The length that W3C requires to propagate at least; longer values are shortened. */
const TRACESTATE_LENGTH_MAX = 512
/** Members longer than this are removed first. */
const LONG_MEMBER_LENGTH = 128
/** An upper bound for a valid header: 32 members with white space. */
const GIVEN_LENGTH_MAX = 32_768

/**
 * The valid tracestate, shortened as W3C says: long members are removed first, then the last ones.
 * `undefined` if it is invalid.
 */
function validTracestate(value: unknown): string | undefined {
  if (typeof value !== 'string' || value.length > GIVEN_LENGTH_MAX) return undefined
  const members = value
    .split(',')
    .map((member) => member.replace(/^[ \t]+|[ \t]+$/g, ''))
    .filter((member) => member !== '')
  const keys = new Set(members.map((member) => member.slice(0, member.indexOf('='))))
  const isValid = keys.size === members.length && members.every((member) => MEMBER.test(member))
  if (!isValid || members.length > MEMBERS_MAX) return undefined
  const fits = (list: readonly string[]): boolean => list.join(',').length <= TRACESTATE_LENGTH_MAX
  const kept = fits(members) ? members : members.filter((one) => one.length <= LONG_MEMBER_LENGTH)
  while (!fits(kept)) kept.pop()
  return kept.join(',')
}

/** The valid part of a trace context; the invalid part is dropped. */
export function validTraceContext({ traceparent, tracestate }: TraceHeaders): TraceContext {
  if (!isTraceparent(traceparent)) return {}
  const state = validTracestate(tracestate)
  return state === undefined || state === '' ? { traceparent } : { traceparent, tracestate: state }
}

/** The issues of a trace context that is passed to the API. */
export function traceContextIssues({ traceparent, tracestate }: TraceHeaders): readonly Issue[] {
  const issues: Issue[] = []
  if (traceparent !== undefined && !isTraceparent(traceparent))
    issues.push({ path: 'traceparent', message: 'must be a W3C traceparent' })
  if (tracestate === undefined) return issues
  if (validTracestate(tracestate) === undefined)
    issues.push({ path: 'tracestate', message: 'must be a W3C tracestate' })
  else if (traceparent === undefined)
    issues.push({ path: 'tracestate', message: 'needs a traceparent beside it' })
  return issues
}
