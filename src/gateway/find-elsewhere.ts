import { Fault } from '../base/fault.ts'
import type { RouteCall } from '../http/routes.ts'
import type { Neighbour } from './elsewhere.ts'
import { handingHeaders, tooOften } from './elsewhere.ts'
import { operationPath, waitOf } from './operations.ts'
import type { GatewayTools } from './tools.ts'

const NOT_FOUND = 404

/**
 * An operation of a contract that runs elsewhere. The ids that this gateway gives out name the
 * contract; for any other id everyone is asked who was not asked on somebody's behalf already.
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
  const { signal } = request
  const accept = request.headers.get('accept')
  const headers = { ...handing.headers, ...(accept === null ? {} : { accept }) }
  const ask = (neighbour: Neighbour): Promise<Response> =>
    neighbour.hand({
      method: 'GET',
      path: `${operationPath(id)}${waitMs === 0 ? '' : `?wait=${waitMs / 1_000}`}`,
      headers,
      deadlineMs: deadlineMs + waitMs,
      signal,
    })
  const answers = await Promise.all(asked.map(ask))
  const found = answers.find(({ status }) => status < 300)
  // Whoever could not be asked may be the one that knows it.
  const answer = found ?? answers.find(({ status }) => status !== NOT_FOUND)
  if (answer) return answer
  throw unknown
}
