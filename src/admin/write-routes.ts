import { LIMITS } from '../base/limits.ts'
import { isSameToken } from '../control/token.ts'
import type { VerbArguments, VerbName } from '../control/verbs.ts'
import { runVerb, VERBS } from '../control/verbs.ts'
import type { System } from '../control/system.ts'
import { readJson } from '../http/json.ts'
import { isFromOtherSite } from '../http/other-site.ts'
import { problem } from '../http/problem.ts'
import { json, respond } from '../http/response.ts'
import type { HttpRoute, RouteParams } from '../http/routes.ts'

const NO_STORE = { 'cache-control': 'no-store' }

/** The header that says who asks, for requests whose body does not. */
const BY_HEADER = 'throughline-by'

const BODY_BYTES_MAX = 65_536
/** The data of an edit at twice its length, since the body contains it as escaped text. */
const EDIT_BYTES_MAX = 2 * LIMITS.dataBytesMax + BODY_BYTES_MAX

/** Verbs that change something, with their arguments as a JSON body. */
export const BODY_ROUTES: readonly (readonly [path: string, verb: VerbName])[] = [
  ['/admin/dead/redrive', 'dead-redrive'],
  ['/admin/dead/discard', 'dead-discard'],
  ['/admin/dead/edit', 'dead-edit'],
  ['/admin/dead/undo-edit', 'dead-undo-edit'],
]

/** The routes of all writes. Each needs the token, and the name of who asks. */
export function writeRoutes(system: System, token: string): readonly HttpRoute[] {
  return [
    ...(['pause', 'resume'] as const).map((verb): HttpRoute => ({
      method: 'POST',
      path: `/admin/services/:service/${verb}`,
      run: ({ request, params }) =>
        answerWrite(request, token, params, async (given) => {
          await runVerb(system, verb, given)
          return respond(204, NO_STORE, null)
        }),
    })),
    ...BODY_ROUTES.map(([path, verb]): HttpRoute => ({
      method: 'POST',
      path,
      run: ({ request, params }) =>
        answerWrite(
          request,
          token,
          params,
          async (given) => json(200, await runVerb(system, verb, given), NO_STORE),
          Object.hasOwn(VERBS[verb].takes, 'data') ? EDIT_BYTES_MAX : BODY_BYTES_MAX,
        ),
    })),
  ]
}

/** Checks token and origin before it reads the body. */
async function answerWrite(
  request: Request,
  token: string,
  params: RouteParams,
  run: (given: VerbArguments) => Promise<Response>,
  bytesMax = BODY_BYTES_MAX,
): Promise<Response> {
  const refused = writeRefusal(request, token)
  if (refused) return refused
  const body = await readJson(request, bytesMax)
  if (body.status === 'refused') return body.answer
  const value = body.status === 'read' ? body.value : {}
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return problem('REQUEST_INVALID', { detail: 'the body must be a JSON object' })
  // Without a name, the verb says that it must be text, together with all other issues.
  const by = request.headers.get(BY_HEADER) ?? ''
  return run({ by, ...value, ...params })
}

/** The problem of a write that is not allowed, if any. */
function writeRefusal(request: Request, token: string): Response | undefined {
  if (isFromOtherSite(request))
    return problem('ORIGIN_REFUSED', { detail: 'the request comes from a page of another origin' })
  const [, given] = /^Bearer +(\S+)$/i.exec(request.headers.get('authorization') ?? '') ?? []
  if (isSameToken(given, token)) return undefined
  return problem('UNAUTHORIZED', {
    detail: 'send Authorization: Bearer with the token that the server printed at start',
    headers: { 'www-authenticate': 'Bearer' },
  })
}
