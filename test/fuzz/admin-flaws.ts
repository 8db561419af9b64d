// What is wrong with an answer of the operator API.
import { FAULTS } from '../../src/base/errors/fault.ts'
import { PROBLEMS } from '../../src/http/problem.ts'
import type { AdminRequest } from './admin-requests.ts'
import { isWrite } from './admin-requests.ts'
import type { FuzzAnswer } from './send-fuzz.ts'

/** The statuses of each path, as docs/gateway.md has them; see `statusesOf` for those of every path. */
const STATUSES: Readonly<Record<string, readonly number[]>> = {
  '/': [307],
  '/page': [307],
  '/page/*': [200, 404],
  '/admin/alive': [200],
  '/admin/health': [200],
  '/admin/overview': [200],
  '/admin/history': [200],
  '/admin/stream': [200],
  '/admin/events': [200, 400],
  '/admin/find': [200, 400],
  '/admin/operations': [200, 400],
  '/admin/account': [200, 400],
  '/admin/audit': [200, 400],
  '/admin/services/:service/pause': [204, 400, 404],
  '/admin/services/:service/resume': [204, 400, 404],
}
/** Those that take the name of a topic, a message, a consumer or a saga. */
const NAMED = [200, 400, 404]
/** Of a write: no token, another origin, a body that is too large or of another type. */
const OF_WRITES = [401, 403, 413, 415]
/** The `Host` is none of this machine. */
const OF_HOSTS = [400, 421]

const CODES = new Set([...Object.keys(FAULTS), ...Object.keys(PROBLEMS)])
/** A frame of a stack, or a path of the sources. */
const STACK = /\\n\s+at .+:\d+:\d+|node:internal|file:\/\/|\.ts:\d+/

/** `undefined` if the answer is as it should be. */
export function adminFlaw(request: AdminRequest, answer: FuzzAnswer): string | undefined {
  const { status, text } = answer
  const seen = `${status} ${text.slice(0, 300)}`
  if (status === 0) return request.raw !== undefined || request.isHalf ? undefined : 'no status'
  if (status >= 500) return `server error: ${seen}`
  if (isForbiddenSuccess(request, status)) return `written without the token: ${seen}`
  if (status >= 400) {
    const flaw = problemFlaw(request, answer)
    if (flaw !== undefined) return `${flaw}: ${seen}`
  }
  const allowed = statusesOf(request)
  return allowed && !allowed.includes(status) ? `status not documented: ${seen}` : undefined
}

/** Whether a write has been answered as done, although it must have been refused. */
function isForbiddenSuccess(
  { route, method, token, isFromOtherSite }: AdminRequest,
  status: number,
): boolean {
  if (!route || !isWrite(route) || method !== route.method || status >= 300) return false
  return token !== 'right' || isFromOtherSite
}

/** The documented statuses; `undefined` for bytes that are no request. */
function statusesOf({ route, method, path, headers, raw }: AdminRequest): number[] | undefined {
  if (raw !== undefined) return undefined
  const ofHost = headers['host'] === undefined ? [] : OF_HOSTS
  // Dots, empty parts and parts that are too long lead to no path of the table, or to another one.
  const isElsewhere = !route || /%2e|\.\.|\/\/|[^/?]{1025}/i.test(path)
  if (isElsewhere) return [200, 204, 307, 400, 401, 403, 404, 405, 413, 415, ...ofHost]
  if (method === 'OPTIONS') return [204, ...ofHost]
  const isHead = method === 'HEAD' && route.method === 'GET'
  if (method !== route.method && !isHead) return [405, ...ofHost]
  return [...(STATUSES[route.path] ?? NAMED), ...(isWrite(route) ? OF_WRITES : []), ...ofHost]
}

function problemFlaw({ method }: AdminRequest, { status, type, text }: FuzzAnswer) {
  if (method === 'HEAD') return undefined
  if (type !== 'application/problem+json') return 'an error that is no problem'
  if (STACK.test(text)) return 'a stack'
  try {
    const problem = JSON.parse(text) as Readonly<Record<string, unknown>>
    const { code, detail } = problem
    const isTyped =
      typeof code === 'string' &&
      CODES.has(code) &&
      problem['type'] === `urn:throughline:problem:${code}` &&
      problem['status'] === status &&
      typeof detail === 'string' &&
      Array.isArray(problem['issues'])
    return isTyped ? undefined : 'a problem without a code'
  } catch {
    return 'a problem that is not JSON'
  }
}
