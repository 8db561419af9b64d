import { Fault } from '../base/fault.ts'
import type { RouteCall } from '../http/routes.ts'
import type { Neighbour } from './elsewhere.ts'
import { handingHeaders, tooOften } from './elsewhere.ts'
import { operationPath, untilOf, waitOf } from './operations.ts'
import type { GatewayTools } from './tools.ts'

const NOT_FOUND = 404

/**
 * Finds an operation at another gateway. An id that a gateway made names the contract, so only that
 * contract's gateway is asked. For any other id all gateways are asked, unless the request was
 * forwarded to this one.
 */
export async function findElsewhere(
  { app, neighbours, deadlineMs }: GatewayTools,
  { request, url }: RouteCall,
  id: string,
): Promise<Response> {
  const unknown = new Fault('OPERATION_NOT_FOUND', { detail: id, ids: { id } })
  const named = neighbours.get(id.slice(0, Math.max(0, id.indexOf('.'))))
  const isOwn = app
    .describe()
    .contracts.some(({ name, owner }) => owner !== undefined && id.startsWith(`${name}.`))
  if (neighbours.size === 0 || (isOwn && !named)) throw unknown
  const handing = handingHeaders(request)
  if (!handing) return tooOften()
  const asked = named ? [named] : handing.count === 0 ? [...new Set(neighbours.values())] : []
  if (asked.length === 0) throw unknown
  const waitMs = waitOf(url.searchParams)
  if (typeof waitMs !== 'number') return waitMs
  const until = untilOf(url.searchParams)
  if (typeof until !== 'string') return until
  const { signal } = request
  const accept = request.headers.get('accept')
  const headers = { ...handing.headers, ...(accept === null ? {} : { accept }) }
  const ask = (neighbour: Neighbour): Promise<Response> =>
    neighbour.hand({
      method: 'GET',
      path: `${operationPath(id)}?wait=${waitMs / 1_000}&until=${until}`,
      headers,
      deadlineMs: deadlineMs + waitMs,
      signal,
    })
  const answers = await Promise.all(asked.map(ask))
  const found = answers.find(({ status }) => status < 300)
  // A gateway that could not be reached may know the operation, so its error beats a 404.
  const answer = found ?? answers.find(({ status }) => status !== NOT_FOUND)
  if (answer) return answer
  throw unknown
}
